//! Puts the built dashboard into the binary: one list of its files, which is empty where it was not built.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let built = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../dashboard/dist");
    println!("cargo::rerun-if-changed={}", built.display());
    let mut list = String::from("static FILES: &[File] = &[\n");
    let app = built.join("app");
    if app.is_dir() {
        let mut files = Vec::new();
        walk(&app, &mut files)?;
        files.sort();
        for file in &files {
            let name =
                file.strip_prefix(&app).map_err(io::Error::other)?.to_string_lossy().replace('\\', "/");
            if name.ends_with(".gz") || name.ends_with(".map") {
                continue;
            }
            let zipped = PathBuf::from(format!("{}.gz", file.display()));
            let gzip = match zipped.is_file() {
                true => format!("Some(include_bytes!({:?}))", zipped.canonicalize()?),
                false => "None".to_owned(),
            };
            let bytes = file.canonicalize()?;
            list +=
                &format!("    File {{ path: {name:?}, bytes: include_bytes!({bytes:?}), gzip: {gzip} }},\n");
        }
    }
    list += "];\n";
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?);
    fs::write(out.join("dashboard.rs"), list)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { walk(&path, files)? } else { files.push(path) }
    }
    Ok(())
}
