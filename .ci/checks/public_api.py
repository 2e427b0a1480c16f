"""Reads rustdoc's JSON of the library: counts the public items, and finds the crates of the
types in their signatures."""

import json
import sys
import tomllib

MOST_ITEMS = 130
STANDARD = {"std", "core", "alloc"}

doc = json.load(open(sys.argv[1]))
listed = "list" in sys.argv[2:]
index, paths = doc["index"], doc["paths"]
crates = {int(i): c["name"] for i, c in doc["external_crates"].items()}
manifest = tomllib.load(open("Cargo.toml", "rb"))
metadata = manifest["package"]["metadata"]["cargo_check_external_types"]
allowed = {path.split("::")[0] for path in metadata["allowed_external_types"]}

items, foreign, seen = {}, {}, set()


def types_of(node, where):
    """Collects the crates of all types in a part of the JSON."""
    if isinstance(node, dict):
        if "resolved_path" in node:
            note(node["resolved_path"]["id"], where)
        if isinstance(node.get("trait"), dict) and "id" in node["trait"]:
            note(node["trait"]["id"], where)
        for key, value in node.items():
            if key not in ("docs", "links", "attrs", "span"):
                types_of(value, where)
    elif isinstance(node, list):
        for value in node:
            types_of(value, where)


def note(id_, where):
    path = paths.get(str(id_))
    if path and path["crate_id"] != 0:
        crate = crates.get(path["crate_id"], path["path"][0])
        if crate not in STANDARD:
            foreign.setdefault(crate, set()).add(f"{where}: {'::'.join(path['path'])}")


def walk(id_, where):
    """Adds an item that is reachable from the root, and its members."""
    item = index.get(str(id_))
    if item is None or (id_, where) in seen:
        return
    seen.add((id_, where))
    kind, inner = next(iter(item["inner"].items()))
    if item["attrs"] and any("doc(hidden)" in str(attr) for attr in item["attrs"]):
        return
    name = f"{where}::{item['name']}" if item["name"] else where
    if kind == "use":
        if inner["id"] is not None:
            target = index.get(str(inner["id"]))
            if target is None:
                note(inner["id"], where)
            elif inner["is_glob"]:
                walk_all(children(target), where)
            else:
                walk(inner["id"], where)
        return
    if kind == "module":
        walk_all(inner["items"], name if where else item["name"])
        return
    if kind in ("struct", "enum", "trait", "function", "constant", "type_alias", "macro", "union", "static"):
        items.setdefault(id_, f"{kind} {name}")
    if not isinstance(inner, dict):
        # A macro's text.
        return
    types_of({k: v for k, v in inner.items() if k not in ("impls", "implementations")}, name)
    walk_members(inner, kind, name)
    for impl_id in inner.get("impls", []):
        walk_impl(impl_id, name)


def walk_members(inner, kind, name):
    members = []
    if kind == "struct":
        plain = inner["kind"].get("plain") if isinstance(inner["kind"], dict) else None
        members = (plain or {}).get("fields", []) or (
            inner["kind"].get("tuple", []) if isinstance(inner["kind"], dict) else []
        )
    elif kind == "enum":
        members = inner["variants"]
    elif kind == "trait":
        members = inner["items"]
    for member in members:
        item = index.get(str(member))
        if item is None:
            continue
        types_of(item["inner"], name)
        variant = item["inner"].get("variant")
        if variant and isinstance(variant["kind"], dict):
            shape = variant["kind"]
            fields = shape.get("tuple") or shape.get("struct", {}).get("fields", [])
            for field in fields:
                if field is not None and str(field) in index:
                    types_of(index[str(field)]["inner"], name)


def chosen(item):
    """Whether an implementation is hand-written, not by the compiler or a blanket one."""
    impl = item and item["inner"].get("impl")
    return impl and not impl.get("is_synthetic") and not impl.get("blanket_impl") and impl


def walk_impl(id_, name):
    impl = chosen(index.get(str(id_)))
    if not impl:
        return
    if impl["trait"]:
        note(impl["trait"]["id"], name)
    for member in impl["items"]:
        item = index.get(str(member))
        if item and (impl["trait"] or item["visibility"] == "public"):
            types_of(item["inner"], f"{name}::{item['name']}")


def children(item):
    kind, inner = next(iter(item["inner"].items()))
    return inner.get("items") or inner.get("variants") or []


def walk_all(ids, where):
    for id_ in ids:
        walk(id_, where)


root = index[str(doc["root"])]
walk_all(root["inner"]["module"]["items"], "dashcam")
for item in index.values():
    # Including those for types of other crates.
    impl = chosen(item)
    if impl:
        types_of([impl["for"], impl["trait"] and impl["trait"]["args"]], "an implementation")
if listed:
    print("\n".join(sorted(items.values())))
surplus = {crate: sorted(uses) for crate, uses in foreign.items() if crate not in allowed}
unused = allowed - set(foreign) - {"serde_core"}
print(f"{len(items)} public items; types of {', '.join(sorted(foreign))}")
for crate, uses in sorted(surplus.items()):
    print(f"not in Cargo.toml's list: {crate}", *uses[:5], sep="\n  ")
for crate in sorted(unused):
    print(f"in Cargo.toml's list, and not shown: {crate}")
too_many = len(items) > MOST_ITEMS
if too_many:
    print(f"more than {MOST_ITEMS} public items")
sys.exit(bool(surplus or unused or too_many))
