//! What an upload into a local directory leaves when its process dies: files that no listing shows, `<name>#<number>`.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::UPLOADS;
use crate::ids::TenantId;

/// How old a half-written part of an upload in progress must be at least: its sender may be slow.
const UPLOAD_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Half-written files that were found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Leftovers {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

/// Removes, or only counts, half-written files to which nobody has written for `age`. Blocks.
pub(crate) fn remove_leftovers(dir: &Path, age: Duration, dry_run: bool) -> io::Result<Leftovers> {
    let mut sweep = Walk { found: Leftovers::default(), now: SystemTime::now(), dry_run };
    for tenant in fs::read_dir(dir)? {
        let tenant = tenant?;
        if TenantId::parse(&tenant.file_name().to_string_lossy()).is_err() {
            continue;
        }
        for folder in entries(&tenant.path())? {
            let folder = folder?;
            let slow = folder.file_name() == UPLOADS;
            sweep.folder(&folder.path(), if slow { age.max(UPLOAD_AGE) } else { age })?;
        }
    }
    Ok(sweep.found)
}

struct Walk {
    found: Leftovers,
    now: SystemTime,
    dry_run: bool,
}

impl Walk {
    fn folder(&mut self, folder: &Path, age: Duration) -> io::Result<()> {
        for entry in entries(folder)? {
            let entry = entry?;
            let path = entry.path();
            // What is gone by now needs nothing.
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            if metadata.is_dir() {
                self.folder(&path, age)?;
                continue;
            }
            let old = self.now.duration_since(metadata.modified()?).is_ok_and(|past| past >= age);
            if !(old && is_half_written(&entry.file_name().to_string_lossy())) {
                continue;
            }
            self.found.files += 1;
            self.found.bytes += metadata.len();
            if !self.dry_run {
                gone(fs::remove_file(&path))?;
                // As far as they are empty.
                for folder in path.ancestors().skip(1).take(2) {
                    _ = fs::remove_dir(folder);
                }
            }
        }
        Ok(())
    }
}

/// What is in a folder; nothing when it is no folder, or gone.
fn entries(folder: &Path) -> io::Result<impl Iterator<Item = io::Result<fs::DirEntry>>> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(Some(entries).into_iter().flatten()),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None.into_iter().flatten())
        }
        Err(error) => Err(error),
    }
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The names that object_store gives to files until they are whole.
fn is_half_written(name: &str) -> bool {
    name.rsplit_once('#')
        .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    fn file(path: &Path, hours_old: u32) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "half").unwrap();
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - hours_old * HOUR).unwrap();
    }

    #[test]
    fn old_halves_go_and_everything_else_stays() {
        let dir = tempfile::tempdir().unwrap();
        let tenant = dir.path().join(TenantId::generate().to_string());
        let other = dir.path().join(TenantId::generate().to_string());
        let digest = tenant.join("ab".repeat(32));
        let stays = [
            digest.join("adapter_model.safetensors"),
            digest.join("adapter_model.safetensors#2"),
            digest.join("notes#draft"),
            tenant.join("uploads/1/part#1"),
            dir.path().join("mine/adapter_model.safetensors#1"),
        ];
        let hours = [48, 0, 48, 2, 48];
        stays.iter().zip(hours).for_each(|(path, hours)| file(path, hours));
        let goes = [
            digest.join("adapter_model.safetensors#1"),
            tenant.join("uploads/2/part#1"),
            other.join("cd/adapter_config.json#12"),
        ];
        goes.iter().for_each(|path| file(path, 48));

        let three = Leftovers { files: 3, bytes: 12 };
        assert_eq!(remove_leftovers(dir.path(), HOUR, true).unwrap(), three);
        assert!(goes.iter().all(|path| path.exists()), "a dry run removes nothing");
        assert_eq!(remove_leftovers(dir.path(), HOUR, false).unwrap(), three);
        assert!(goes.iter().all(|path| !path.exists()) && stays.iter().all(|path| path.exists()));
        assert!(!other.exists(), "empty folders go with what was in them");
        assert_eq!(remove_leftovers(dir.path(), HOUR, false).unwrap(), Leftovers::default());
    }
}
