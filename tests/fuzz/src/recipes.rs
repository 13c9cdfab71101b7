//! Recipes, and the packages that they name.

use std::io::{Cursor, Write};
use std::path::{Component, Path};

use almanac::model::recipe::{Recipe, extract};
use almanac::types::Digest;
use zip::write::SimpleFileOptions;

use crate::{Target, scratch};

pub const TARGETS: &[Target] = &[
    Target {
        words: &[
            "[[package]]\n",
            "[needs]\n",
            "name = ",
            "kind = ",
            "status = ",
            "\"tried\"",
            "\"not tried\"",
            "members = [",
            "within = ",
            "path = ",
            "to = ",
            "..",
            "contents.toml",
            "disk_mib = ",
            "bytes = ",
            "architecture = ",
        ],
        ..Target::new("recipe", recipe, recipes)
    },
    Target {
        words: &[
            "PK\x03\x04",
            "PK\x01\x02",
            "PK\x05\x06",
            "PK\x06\x06",
            "pkg/a.bin",
            "pkg/m.zip",
            "deep/b.json",
        ],
        ..Target::new("package", package, packages)
    },
];

fn recipe(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(recipe) = Recipe::parse(text, Path::new("models/x.toml")) else {
        return;
    };
    for package in &recipe.packages {
        let _ = package.pip_arguments(Path::new("cache"));
        for member in &package.members {
            let inside = |part| matches!(part, Component::Normal(_));
            assert!(member.to.components().all(inside), "{:?}", member.to);
        }
    }
}

fn recipes() -> Vec<Vec<u8>> {
    vec![
        include_bytes!("../../../models/smollm2-135m-instruct.toml").to_vec(),
        include_bytes!("../../../models/onnxruntime.toml").to_vec(),
        include_bytes!("../../../models/llama-3.2-1b-instruct.toml").to_vec(),
    ]
}

/// The recipe that every package is unpacked by: one member, one in a zip within, 1 MiB of room.
fn of(data: &[u8]) -> Recipe {
    let text = format!(
        "name = \"x\"\ntitle = \"X\"\nkind = \"decoder\"\nstatus = \"tried\"\nlicence = \"MIT\"\n\
         licence_source = \"here\"\n[needs]\nmemory_mib = 1\ndisk_mib = 1\n[[package]]\nclient = \"pip\"\n\
         name = \"x\"\nversion = \"1\"\narchitecture = \"any\"\npython = \"3.11\"\nfile = \"x.whl\"\nbytes = 1\n\
         sha256 = \"{}\"\nmembers = [{{ path = \"pkg/a.bin\", to = \"a\" }},\n\
         {{ within = \"pkg/m.zip\", path = \"deep/b.json\", to = \"sub/b.json\" }}]\n",
        Digest::of(data)
    );
    Recipe::parse(&text, Path::new("x.toml")).expect("the recipe is right")
}

fn package(data: &[u8]) {
    let recipe = of(data);
    let file = scratch::file("x.whl", data);
    let folder = scratch::folder().join("unpacked");
    if let Ok(contents) = extract(&recipe, &recipe.packages[0], &file, &folder) {
        contents.verify(&folder).expect("what came out is there");
        assert!(contents.files.iter().map(|file| file.bytes).sum::<u64>() <= 1 << 20);
    }
}

fn packages() -> Vec<Vec<u8>> {
    let zip_of = |files: &[(&str, &[u8])]| {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            writer
                .start_file(*name, SimpleFileOptions::default())
                .expect("in memory");
            writer.write_all(bytes).expect("in memory");
        }
        writer.finish().expect("in memory").into_inner()
    };
    let inner = zip_of(&[("deep/b.json", b"{}"), ("other", b"x")]);
    let plenty = [b'a'; 4_000];
    vec![
        zip_of(&[("pkg/a.bin", b"weights"), ("pkg/m.zip", &inner)]),
        zip_of(&[("pkg/a.bin", &plenty), ("pkg/m.zip", &inner)]),
    ]
}
