"""Checks the imports of src/ against the table "Rooms" of ARCHITECTURE.md.

    rooms.py [DIRECTORY]    the directory that has src/ and ARCHITECTURE.md; default: here

It fails if a room imports one that its row does not name, if a row names one that is not
imported or comes later, or if files import each other in a circle.

It reads `use` and paths such as `crate::a::b`. For circles, a re-exported name (`pub use`)
belongs to the file that defines it, and items of a `mod.rs` belong to its whole directory. It
ignores tests, comments and strings. Method calls are not imports.
"""

import os
import re
import sys
from collections import defaultdict
from pathlib import Path

# Rooms whose files may form circles, and the reason.
CIRCLES = {
    "context": "a context holds the calls of its request, which are contexts",
}

IDENT = r"(?:r#)?[A-Za-z_]\w*"
DEFINES = re.compile(
    rf"\b(?:fn|struct|enum|union|trait|type|const|static|mod|macro_rules\s*!)\s+(?:mut\s+)?({IDENT})"
)
USE = re.compile(rf"((?:\bpub(?:\s*\([^)]*\))?\s+)?)\buse\s+([^;]+);")
MOD = re.compile(rf"\bmod\s+({IDENT})\s*([;{{])")
PATH = re.compile(rf"(?<![\w:.])(\$?{IDENT}(?:\s*::\s*{IDENT})+)")
TEST = re.compile(r"#\s*\[\s*cfg\s*\(\s*(?:test|doctest|all\s*\(\s*(?:test|doctest)\b[^\]]*)\s*\)\s*\]")

ITEM = re.compile(
    r"(?:\s*#\[[^\]]*\])*\s*(?:pub(?:\s*\([^)]*\))?\s+)?"
    r"(?:fn|impl|mod|struct|enum|trait|use|const|static|type|async|unsafe|macro_rules)\b"
)


def code_of(text):
    """The text without comments, string contents and tests."""
    out, at = [], 0
    token = re.compile(
        r"//[^\n]*|/\*|b?r(#*)\"|b?\"(?:\\.|[^\"\\])*\"|b?'(?:\\.[^']*|[^'\\])'|\br#(?=[A-Za-z_])", re.S
    )
    while found := token.search(text, at):
        out.append(text[at : found.start()])
        at, start = found.end(), found.group()
        if start == "/*":
            depth = 1
            while depth and (inner := re.compile(r"/\*|\*/").search(text, at)):
                depth += 1 if inner.group() == "/*" else -1
                at = inner.end()
        elif found.group(1) is not None:
            at = text.index('"' + found.group(1), at) + 1 + len(found.group(1))
            out.append('""')
        elif not start.startswith(("//", "r#")):
            out.append('""')
    out.append(text[at:])
    code = "".join(out)
    while found := TEST.search(code):
        code = code[: found.start()] + code[end_of_item(code, found.end()) :]
    return code


def end_of_item(code, at):
    """The end of the item that starts there: its `;` or its closing brace."""
    # A field or a variant ends at its comma, too.
    ends = ";}" if ITEM.match(code, at) else ";},"
    depth = 0
    for at in range(at, len(code)):
        char = code[at]
        depth += (char in "([{") - (char in ")]}")
        if depth == 0 and char in ends:
            return at + 1
        if depth < 0:
            return at
    return len(code)


def leaves(tree, before=()):
    """The paths of `a::{b, c as d}`, each with its local name."""
    tree = tree.strip()
    if "{" in tree:
        head, rest = tree.split("{", 1)
        before += tuple(part.strip() for part in head.split("::") if part.strip())
        depth, part, inner = 0, "", rest[: rest.rindex("}")]
        for char in inner + ",":
            depth += (char == "{") - (char == "}")
            if char == "," and not depth:
                if part.strip():
                    yield from leaves(part, before)
                part = ""
            else:
                part += char
        return
    path, _, alias = tree.partition(" as ")
    parts = before + tuple(part.strip() for part in path.split("::") if part.strip())
    if parts[-1] == "self":
        parts = parts[:-1]
    yield parts, alias.strip() or parts[-1]


class Module:
    def __init__(self, path, file, code):
        self.path, self.file = path, file
        self.items = set(DEFINES.findall(self.top_level(code)))
        self.uses = []  # each a path, its name here, and whether it is passed on
        for passed, tree in USE.findall(code):
            for path, name in leaves(tree):
                self.uses.append((path, name, bool(passed.strip())))
        rest = USE.sub(";", code)
        self.paths = {tuple(re.split(r"\s*::\s*", path)) for path in PATH.findall(rest)}
        self.words = set(re.findall(IDENT, rest))

    @staticmethod
    def top_level(code):
        """The text outside all braces."""
        out, depth = [], 0
        for char in code:
            depth -= char == "}"
            if depth == 0:
                out.append(char)
            depth += char == "{"
        return "".join(out)


def read(source):
    """All modules, by their path from the root."""
    modules = {}

    def take(path, file, code, directory):
        # Modules in the file itself have a path of their own.
        at, children = 0, []
        while found := MOD.search(code, at):
            if found.group(2) == ";":
                children.append(found.group(1))
                at = found.end()
                continue
            end = end_of_item(code, found.start())
            inner = code[found.end() : end - 1]
            code = code[: found.end()] + code[end - 1 :]
            at = found.end()
            take(path + (found.group(1),), file, inner, directory / found.group(1))
        modules[path] = Module(path, file, code)
        for name in children:
            for candidate in (directory / f"{name}.rs", directory / name / "mod.rs"):
                if candidate.exists():
                    take(path + (name,), candidate, code_of(candidate.read_text()), directory / name)
                    break

    root = source / "lib.rs"
    take((), root, code_of(root.read_text()), source)
    return modules


class House:
    def __init__(self, modules):
        self.modules = modules
        root = modules[()].file
        self.rooms = {path[:1] for path, module in modules.items() if module.file != root}

    def absolute(self, module, path, names=None):
        """A path from the root of the crate, or None for another crate."""
        names = names or {}
        first, at = path[0], module.path
        if first in ("crate", "$crate"):
            return path[1:]
        if first == "self":
            return at + path[1:]
        if first == "super":
            while path and path[0] == "super":
                at, path = at[:-1], path[1:]
            return at + path
        if names.get(first) is not None:
            return names[first] + path[1:]
        if at + (first,) in self.modules or first in module.items:
            return at + path
        return None

    def names(self, module):
        """The paths of the names that a file imports; None for other crates."""
        return {
            name: self.absolute(module, path)
            for path, name, _ in module.uses
            if path[-1] != "*" and name != "_"
        }

    def owner(self, path, seen=frozenset()):
        """The file that defines the item of a path from the root, or None."""
        if path in seen:
            return None
        seen |= {path}
        for cut in range(len(path), -1, -1):
            if path[:cut] in self.modules:
                break
        module, rest = self.modules[path[:cut]], path[cut:]
        # If a module and a function share a name, the function is meant.
        if not rest and path:
            parent = self.modules.get(path[:-1])
            if parent and parent.path != module.path:
                for to, name, _ in parent.uses:
                    if name == path[-1] and (a := self.absolute(parent, to)) and a != path:
                        return self.owner(a, seen)
        if not rest:
            return None
        if rest[0] in module.items:
            return module.file
        for to, name, _ in module.uses:
            a = self.absolute(module, to)
            if a is None:
                continue
            if name == rest[0]:
                return self.owner(a + rest[1:], seen)
            if name == "*":
                if found := self.owner(a[:-1] + rest, seen):
                    return found
        return None

    def arrows(self):
        """The imports between rooms and between files, each with the names."""
        rooms, files = defaultdict(set), defaultdict(set)
        for module in self.modules.values():
            names = self.names(module)
            here = module.path[:1]
            for path, name, passed in module.uses:
                to = self.absolute(module, path)
                if to is None:
                    continue
                self.to_room(rooms, module, here, to)
                if passed and name not in module.words:
                    continue
                self.to_file(files, module, to, path[-1])
            for path in module.paths:
                to = self.absolute(module, path, names)
                if to is None:
                    continue
                self.to_room(rooms, module, here, to)
                self.to_file(files, module, to, "::".join(path))
        return rooms, files

    def to_room(self, rooms, module, here, to):
        if here not in self.rooms or not to:
            return
        room = to[:1]
        if room not in self.modules:
            owner = self.owner(to)
            room = next((m.path[:1] for m in self.modules.values() if m.file == owner), ())
        if room and room != here and room in self.rooms:
            rooms[here[0], room[0]].add((str(module.file), "::".join(to)))

    def to_file(self, files, module, to, name):
        if to[-1:] == ("*",):
            inner = self.modules.get(to[:-1])
            owner = inner and inner.file
        else:
            owner = self.owner(to)
        if not owner or owner == module.file or not module.path:
            return  # The root of the crate only names its rooms.
        if owner.parts[:2] != module.file.parts[:2]:
            return  # Rooms form no circle where each imports only those above it.
        # Items of a folder's own file belong to everything in the folder.
        if owner.name != "mod.rs" or owner.parent not in module.file.parents:
            files[str(module.file), str(owner)].add(name)


def circles(arrows):
    """The sets of files that import each other, by Tarjan's algorithm."""
    after = defaultdict(list)
    for a, b in arrows:
        after[a].append(b)
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for next_ in after[node]:
            if next_ not in index:
                visit(next_)
            if next_ in stack:
                low[node] = min(low[node], low[next_])
        if low[node] == index[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    sys.setrecursionlimit(10_000)
    for node in list(after):
        if node not in index:
            visit(node)
    return sorted(found)


def table(text):
    """The rows of the table: what each room imports, in the order of the page."""
    section = text.split("\n## Rooms\n", 1)[1].split("\n## ", 1)[0]
    rows = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 3 and cells[0].startswith("`"):
            for room in re.findall(r"`(\w+)`", cells[0]):
                rows[room] = re.findall(r"`(\w+)`", cells[2])
    return rows


def wrongs():
    modules = read(Path("src"))
    house = House(modules)
    imports, files = house.arrows()
    rows = table(Path("ARCHITECTURE.md").read_text())
    here, order = {room for (room,) in house.rooms}, list(rows)
    for room in sorted(here - set(rows)):
        yield f"`{room}` has no row in ARCHITECTURE.md"
    for room in sorted(set(rows) - here):
        yield f"ARCHITECTURE.md has a row for `{room}`, and src/ has no such room"
    for module in modules.values():
        for path, _, _ in module.uses if module.path else ():
            if house.absolute(module, path) == ("*",):
                yield f"{module.file} imports all rooms at once (`use crate::*`)"
    for file in sorted(Path("src").rglob("*.rs")):
        if re.search(r"^\s*extern\s+crate\s+self\b", file.read_text(), re.M):
            yield f"{file} gives the crate another name"
    for (room, other), uses in sorted(imports.items()):
        if other not in rows.get(room, [other]):
            yield f"`{room}` imports `{other}`, and its row does not say so:"
            yield from sorted({f"    {file}: {name}" for file, name in uses})
    for room, others in rows.items():
        for other in others:
            if room in here and (room, other) not in imports:
                yield f"the row of `{room}` names `{other}`, which it does not import"
            if other in rows and order.index(other) > order.index(room):
                yield f"the row of `{room}` names `{other}`, which stands further down"
    unused = set(CIRCLES)
    for circle in circles(files):
        room = Path(circle[0]).parts[1]
        if room in CIRCLES:
            unused.discard(room)
            continue
        yield f"a circle of {len(circle)} files:"
        for (a, b), names in sorted(files.items()):
            if a in circle and b in circle:
                yield f"    {a} -> {b}: {', '.join(sorted(names))}"
    for room in sorted(unused & here):
        yield f"`{room}` has no circles any more: take it out of CIRCLES"


if len(sys.argv) > 1:
    os.chdir(sys.argv[1])
found = list(wrongs())
print("\n".join(found) or "the rooms match ARCHITECTURE.md, and no files form a circle")
sys.exit(bool(found))
