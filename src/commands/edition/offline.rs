//! On the operator's machine: keys, building, signing, checking.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::json;

use super::super::Context;
use super::on_box::files_and_questions;
use crate::durable;
use crate::edition::{
    Blobs, Manifest, Password, PublicKey, Record, Terms, build as builder, examine, generate,
    sign as sign_text,
};
use crate::model::adapter_base;
use crate::service::{host, trusted_keys};

/// A key file is two short lines.
const KEY_BYTES: u64 = 4 * 1024;

pub fn keygen(context: &Context, name: &Path, no_password: bool) -> anyhow::Result<()> {
    let beside = |extension: &str| {
        let mut path = name.as_os_str().to_owned();
        path.push(extension);
        PathBuf::from(path)
    };
    let (secret_path, public_path) = (beside(".key"), beside(".pub"));
    for path in [&secret_path, &public_path] {
        if path.exists() {
            bail!(
                "{}: is there already; a key is never overwritten",
                path.display()
            );
        }
    }
    let (public, secret) = generate(password(no_password))?;
    durable::create_private(&secret_path, secret.as_bytes())?;
    durable::replace(&public_path, public.as_bytes())?;
    let id = PublicKey::parse(&public)?.id();
    match context.output.is_json() {
        true => context.output.json(&json!({
            "id": id, "secret": secret_path, "public": public_path
        }))?,
        false => context.output.line(&format!(
            "key {id}: keep {} to yourself; every box gets {}",
            secret_path.display(),
            public_path.display()
        ))?,
    }
    Ok(())
}

pub fn build(context: &Context, plan: &Path, out: &Path) -> anyhow::Result<()> {
    let fits = |path: &Path| adapter_base(path).map_err(|error| error.to_string());
    let built = builder::Plan::read(plan)?.build(out, &fits)?;
    let bytes: u64 = built.manifest.contents().values().sum();
    let (files, folder) = (built.manifest.files.len(), built.folder.display());
    match context.output.is_json() {
        true => context.output.json(&json!({
            "serial": built.manifest.serial, "folder": built.folder, "files": files, "bytes": bytes
        }))?,
        false => context.output.line(&format!(
            "{folder}: {files} files, {bytes} bytes; not signed yet"
        ))?,
    }
    Ok(())
}

pub fn sign(
    folder: &Path,
    key: &Path,
    comment: Option<String>,
    no_password: bool,
) -> anyhow::Result<()> {
    let offer = builder::read_offer(folder)?;
    let manifest = parse(folder, &offer.manifest)?;
    let found = std::fs::metadata(key).with_context(|| format!("{}: no key", key.display()))?;
    if found.len() > KEY_BYTES {
        bail!("{}: {} bytes are no secret key", key.display(), found.len());
    }
    let secret = std::fs::read_to_string(key)
        .with_context(|| format!("{}: cannot read the key", key.display()))?;
    let comment = comment
        .unwrap_or_else(|| format!("almanac edition {}: {}", manifest.serial, manifest.name));
    if comment.chars().any(char::is_control) {
        bail!("the comment is one line without control characters");
    }
    let signature = sign_text(&offer.manifest, &secret, password(no_password), &comment)?;
    Ok(builder::write_signature(folder, &signature)?)
}

pub fn inspect(context: &Context, folder: &Path) -> anyhow::Result<()> {
    let offer = builder::read_offer(folder)?;
    let manifest = parse(folder, &offer.manifest)?;
    let out = context.output;
    if out.is_json() {
        return Ok(out.json(&manifest)?);
    }
    out.line(&format!("edition {} ({})", manifest.serial, manifest.name))?;
    for (what, moment) in [
        ("not before", manifest.not_before),
        ("expires", manifest.expires),
    ] {
        if let Some(moment) = moment {
            out.line(&format!("  {what} {moment}"))?;
        }
    }
    let bytes: u64 = manifest.contents().values().sum();
    out.line(&format!("  {bytes} bytes of contents"))?;
    out.line(match offer.signature.is_empty() {
        true => "  not signed",
        false => "  signed; `almanac edition verify` tells by whom",
    })?;
    for line in manifest.notes.lines() {
        out.line(&format!("  | {line}"))?;
    }
    files_and_questions(context, &manifest)
}

pub fn verify(context: &Context, folder: &Path, keys: &[PathBuf]) -> anyhow::Result<()> {
    let keys = match keys {
        [] => trusted_keys(&context.config.trusted)?,
        named => named
            .iter()
            .map(|path| read_key(path))
            .collect::<Result<_, _>>()?,
    };
    // The machine that checks need not be one that could run it.
    let offer = builder::read_offer(folder)?;
    let manifest = Manifest::parse(&offer.manifest).ok();
    let mut host = host();
    if let Some(manifest) = &manifest {
        host.memory_mib = 0;
        host.architecture = manifest
            .hardware
            .architectures
            .first()
            .cloned()
            .unwrap_or(host.architecture);
    }
    let accepted = examine(
        &offer,
        &Terms {
            keys: &keys,
            record: &Record::default(),
            current: None,
            host: &host,
            now: None,
            allow_downgrade: false,
        },
    )?;
    let contents = Blobs::new(&builder::contents_of(folder));
    for (content, length) in accepted.manifest.contents() {
        contents.verify(&content, length)?;
    }
    let (serial, key) = (accepted.manifest.serial, accepted.signed.key.id());
    let comment = accepted.signed.comment;
    match context.output.is_json() {
        true => context
            .output
            .json(&json!({ "serial": serial, "key": key, "comment": comment }))?,
        false => context.output.line(&format!(
            "edition {serial} is whole; signed by {key}: {comment}"
        ))?,
    }
    Ok(())
}

pub fn diff(context: &Context, from: &Path, to: &Path) -> anyhow::Result<()> {
    let read = |folder: &Path| parse(folder, &builder::read_offer(folder)?.manifest);
    let difference = builder::difference(&read(from)?, &read(to)?);
    let out = context.output;
    if out.is_json() {
        return Ok(out.json(&json!({
            "bytes": difference.bytes, "fetched": difference.fetched, "gone": difference.gone
        }))?);
    }
    for file in &difference.fetched {
        out.line(&format!("+ {:>12} {}", file.length, file.path.display()))?;
    }
    for path in &difference.gone {
        out.line(&format!("- {:>12} {}", "", path.display()))?;
    }
    Ok(out.line(&format!("{} bytes to fetch", difference.bytes))?)
}

fn parse(folder: &Path, manifest: &[u8]) -> anyhow::Result<Manifest> {
    Manifest::parse(manifest).map_err(|reason| anyhow::anyhow!("{}: {reason}", folder.display()))
}

fn read_key(path: &Path) -> anyhow::Result<PublicKey> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{}: cannot read the key", path.display()))?;
    PublicKey::parse(&text).with_context(|| path.display().to_string())
}

fn password(none: bool) -> Password {
    match none {
        true => Password::None,
        false => Password::Ask,
    }
}
