//! Secrets made at first start and kept in the data folder, readable by the owner alone.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use anyhow::{Context, bail};
use rand::RngCore;
use secrecy::SecretString;

/// Bytes of randomness in a made secret.
const SECRET_BYTES: usize = 32;
/// Shortest secret that a kept file may hold, in characters.
const MIN_CHARS: usize = 32;

/// Makes the data folder, for the owner alone.
pub fn private_dir(dir: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make the data directory {}", dir.display()))?;
    fs::set_permissions(dir, Permissions::from_mode(0o700))
        .with_context(|| format!("cannot make the data directory {} private", dir.display()))
}

/// The given secret, or the one kept in `file`, or a new one that is kept there.
pub fn given_or_kept(given: Option<SecretString>, file: &Path) -> anyhow::Result<SecretString> {
    if let Some(given) = given {
        return Ok(given);
    }
    match fs::read_to_string(file) {
        Ok(kept) if kept.trim().len() >= MIN_CHARS => Ok(kept.trim().into()),
        Ok(_) => bail!("{} is damaged: restore it, or delete it and make all keys anew", file.display()),
        Err(error) if error.kind() == ErrorKind::NotFound => make(file),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

/// Writes a file that only the owner can read, all of it or nothing, over what was there.
pub fn write_private(file: &Path, text: &str) -> anyhow::Result<()> {
    let draft = file.with_extension("draft");
    let write = || -> std::io::Result<()> {
        let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        out.set_permissions(Permissions::from_mode(0o600))?;
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        fs::rename(&draft, file)
    };
    write().with_context(|| format!("cannot write {}", file.display()))
}

fn make(file: &Path) -> anyhow::Result<SecretString> {
    let mut bytes = [0; SECRET_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    let text = hex::encode(bytes);
    write_private(file, &text)?;
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_kept_private() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("admin-key");
        let first = given_or_kept(None, &file).expect("made");
        let second = given_or_kept(None, &file).expect("kept");
        assert_eq!(first.expose_secret(), second.expose_secret());
        assert_eq!(first.expose_secret().len(), 2 * SECRET_BYTES);
        assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
        let given = given_or_kept(Some("given".into()), &file).expect("given");
        assert_eq!(given.expose_secret(), "given");
    }

    #[test]
    fn a_damaged_file_is_never_replaced() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("pepper");
        fs::write(&file, "").expect("written");
        let error = given_or_kept(None, &file).expect_err("damaged");
        assert!(error.to_string().contains("damaged"), "{error}");
        assert_eq!(fs::read_to_string(&file).expect("still there"), "");
    }
}
