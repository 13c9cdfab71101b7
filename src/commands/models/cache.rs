//! The folder of fetched things: kept between runs, shared by every state folder of one user.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::durable::{self, FileError};
use crate::model::recipe::{Architecture, CONTENTS, Contents, Package, Recipe};

/// The cache folder.
pub struct Cache {
    root: PathBuf,
}

/// Holds the cache against other processes until it is dropped.
pub struct Held {
    _lock: File,
}

impl Cache {
    /// The cache at `given`, or where the user's caches lie; nothing is created yet.
    ///
    /// # Errors
    /// Nothing says where a cache may lie.
    pub fn open(given: Option<PathBuf>) -> anyhow::Result<Cache> {
        let absolute = |name: &str| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let standard = || {
            absolute("XDG_CACHE_HOME")
                .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
                .map(|caches| caches.join("almanac"))
        };
        match given.or_else(standard) {
            Some(root) => Ok(Cache { root }),
            None => bail!(
                "no place for fetched files: neither XDG_CACHE_HOME nor HOME is set; name one with --cache DIR"
            ),
        }
    }

    /// Waits until no other process fetches into this cache, and keeps others out.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn hold(&self) -> anyhow::Result<Held> {
        durable::create_folder(&self.packages())?;
        let path = self.root.join("lock");
        // Not one of our files: it is empty and only there to be locked.
        let lock = File::create(&path).map_err(FileError::at("create", &path))?;
        if lock.try_lock().is_err() {
            eprintln!("{}: waiting for another fetch to end", self.root.display());
            lock.lock()
                .with_context(|| format!("{}: cannot be locked", path.display()))?;
        }
        self.remove_leftovers()?;
        Ok(Held { _lock: lock })
    }

    /// Where packages lie until they are unpacked, and where one brought by hand is looked for.
    pub fn packages(&self) -> PathBuf {
        self.root.join("packages")
    }

    /// Where the members of `package` of `recipe` lie.
    pub fn folder(&self, recipe: &Recipe, package: &Package) -> PathBuf {
        let models = self.root.join("models");
        match package.architecture {
            Architecture::Any => models.join(&recipe.name),
            other => models.join(format!("{}-{}", recipe.name, other.as_str())),
        }
    }

    /// What was unpacked of exactly this package, if it is all there at a glance.
    pub fn unpacked(&self, recipe: &Recipe, package: &Package) -> Option<(PathBuf, Contents)> {
        let folder = self.folder(recipe, package);
        // A list that cannot be read is as good as none: the package is unpacked anew.
        let contents = Contents::read(&folder.join(CONTENTS)).ok().flatten()?;
        let same = contents.sha256 == package.sha256
            && contents.files.len() == package.members.len()
            && package
                .members
                .iter()
                .all(|member| contents.files.iter().any(|file| file.path == member.to));
        (same && contents.is_in(&folder)).then_some((folder, contents))
    }

    /// Removes what an interrupted download left.
    fn remove_leftovers(&self) -> anyhow::Result<()> {
        let packages = self.packages();
        for entry in std::fs::read_dir(&packages).map_err(FileError::at("list", &packages))? {
            let path = entry.map_err(FileError::at("list", &packages))?.path();
            if is_download(&path) {
                std::fs::remove_dir_all(&path).map_err(FileError::at("remove", &path))?;
            }
        }
        Ok(())
    }
}

/// Start of the name of a folder into which a download runs.
pub const DOWNLOAD: &str = "download-";

fn is_download(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    path.is_dir() && name.to_string_lossy().starts_with(DOWNLOAD)
}
