//! The destinations of exchanges: files, HAR, and the recipes of the documentation.

mod har;
mod json_lines;
mod recipes;
#[path = "../support_net/mod.rs"]
mod support_net;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A directory of this name, until the test ends.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("export-{name}-{}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
