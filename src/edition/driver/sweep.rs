//! Removing what no edition needs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::super::blobs::{Blobs, Swept};
use super::super::manifest::Manifest;
use super::super::{Edition, EditionError};
use super::Driver;
use crate::durable;

impl Driver<'_> {
    /// Removes everything that neither the current edition, nor the one before, nor the one under way
    /// needs; blocking.
    ///
    /// # Errors
    /// A manifest cannot be read (nothing is removed then), or the disk failed.
    pub fn sweep(&mut self) -> Result<Swept, EditionError> {
        let under_way = self.run().filter(|run| !run.phase.is_over());
        let mut serials = BTreeSet::from([0]);
        serials.extend(Edition::current_serial(&self.state)?);
        serials.extend(self.record.previous);
        serials.extend(under_way.map(|run| run.serial));
        let is_over = under_way.is_none();
        let mut contents = BTreeSet::new();
        for edition in Edition::list(&self.state)? {
            if serials.contains(&edition.manifest.serial) {
                contents.extend(edition.manifest.contents().into_keys());
            }
        }
        let mut swept = Swept::default();
        if is_over {
            let incoming = self.incoming();
            swept.files += u64::from(incoming.exists());
            durable::remove_folder(&incoming)?;
        } else if self.is_kept() {
            contents.extend(Manifest::read(&self.incoming())?.contents().into_keys());
        }
        swept.files += self.sweep_editions(&serials)? + self.sweep_litter()?;
        if is_over {
            let blobs = Blobs::new(&self.state).keep_only(&contents)?;
            swept.files += blobs.files;
            swept.bytes = blobs.bytes;
        }
        Ok(swept)
    }

    fn sweep_editions(&self, kept: &BTreeSet<u64>) -> Result<u64, EditionError> {
        let mut swept = 0;
        for (path, name) in names_in(&self.state.join("editions"))? {
            if !name.parse().is_ok_and(|serial: u64| kept.contains(&serial)) {
                durable::remove_folder(&path)?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    fn sweep_litter(&self) -> Result<u64, EditionError> {
        let mut swept = 0;
        let mut folders = vec![self.state.clone(), self.incoming()];
        folders.extend(
            names_in(&self.state.join("editions"))?
                .into_iter()
                .map(|(path, _)| path),
        );
        for folder in folders {
            for (path, name) in names_in(&folder)? {
                if durable::is_litter(&name) {
                    durable::remove_file(&path)?;
                    swept += 1;
                }
            }
        }
        Ok(swept)
    }
}

/// Paths and names in `folder`; none where it is missing.
fn names_in(folder: &Path) -> Result<Vec<(PathBuf, String)>, EditionError> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(EditionError::io("list", folder))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(EditionError::io("list", folder))?;
        names.push((
            entry.path(),
            entry.file_name().to_string_lossy().into_owned(),
        ));
    }
    Ok(names)
}
