//! A decoder's graph without its inputs for adapters: to see what they cost.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use prost::Message as _;

use super::onnx::{GraphProto, ModelProto};
use super::{begin, read_bounded};
use crate::durable::{self, FileError};
use crate::model::ModelError;
use crate::model::folder::{GRAPH_FILE, Manifest};

/// What all inputs for adapters begin with.
const PREFIX: &str = "lora.";

/// Writes the decoder of `folder` to `out` without inputs for adapters; blocking. Its other files are links to those of
/// `folder`, so both must lie on one file system.
///
/// # Errors
/// `folder` holds no finished decoder, or `out` cannot be written.
pub fn without_adapters(folder: &Path, out: &Path) -> Result<Manifest, ModelError> {
    let whole = Manifest::open(folder)?;
    begin(out)?;
    let path = folder.join(GRAPH_FILE);
    let mut model = ModelProto::decode(&read_bounded(&path)?[..])
        .map_err(|error| ModelError::file(&path, format!("not an ONNX graph: {error}")))?;
    if let Some(graph) = &mut model.graph {
        strip(graph);
    }
    durable::replace(&out.join(GRAPH_FILE), &model.encode_to_vec())?;
    for name in whole.files.keys().filter(|name| *name != GRAPH_FILE) {
        let link = out.join(name);
        std::fs::hard_link(folder.join(name), &link).map_err(FileError::at("link", &link))?;
    }
    let mut manifest = Manifest::new(whole.kind, &whole.name, whole.precision);
    manifest.context_tokens = whole.context_tokens;
    manifest.end_tokens = whole.end_tokens;
    let files: Vec<&str> = whole.files.keys().map(String::as_str).collect();
    manifest.seal(out, &files)
}

/// Takes away the inputs for adapters and every node that needs one; a sum with what such a node gives becomes its other
/// part.
fn strip(graph: &mut GraphProto) {
    graph.input.retain(|input| !input.name.starts_with(PREFIX));
    graph
        .initializer
        .retain(|tensor| !tensor.name.starts_with(PREFIX));
    let mut gone: HashSet<String> = HashSet::new();
    let mut instead: HashMap<String, String> = HashMap::new();
    // Nodes stand in the order in which they run.
    graph.node.retain_mut(|node| {
        for input in &mut node.input {
            if let Some(other) = instead.get(input) {
                other.clone_into(input);
            }
        }
        let is_gone = |input: &String| input.starts_with(PREFIX) || gone.contains(input);
        if !node.input.iter().any(is_gone) {
            return true;
        }
        let rest = node.input.iter().find(|input| !is_gone(input)).cloned();
        match (node.op_type.as_str(), rest) {
            ("Add", Some(rest)) => {
                instead.extend(
                    node.output
                        .iter()
                        .map(|output| (output.clone(), rest.clone())),
                );
            }
            _ => gone.extend(node.output.iter().cloned()),
        }
        false
    });
}

#[cfg(test)]
mod tests {
    use super::super::onnx::{ElementType, GraphBuilder};
    use super::*;

    #[test]
    fn only_the_sum_with_the_low_rank_product_goes() {
        let mut data = Vec::new();
        let mut builder = GraphBuilder::new("test", &mut data, "data");
        builder.input("x", ElementType::F32, &[]);
        builder.input("lora.0.o.a", ElementType::F32, &[]);
        builder.input("lora.0.o.b", ElementType::F32, &[]);
        builder.floats("lora.0.o.a", &[2, 0], &[]);
        builder.floats("lora.0.o.b", &[0, 2], &[]);
        builder.floats("weight", &[1], &[1.0]);
        let product = builder.node("MatMul", &["x", "weight"], &[]);
        let down = builder.node("MatMul", &["x", "lora.0.o.a"], &[]);
        let up = builder.node("MatMul", &[&down, "lora.0.o.b"], &[]);
        let sum = builder.node("Add", &[&product, &up], &[]);
        let kept = builder.node("Add", &[&sum, "x"], &[]);
        builder.output(&kept, ElementType::F32, &[]);
        let bytes = builder.finish().expect("writes");
        let mut graph = ModelProto::decode(&bytes[..])
            .expect("our own")
            .graph
            .expect("a graph");
        strip(&mut graph);
        let ops: Vec<&str> = graph
            .node
            .iter()
            .map(|node| node.op_type.as_str())
            .collect();
        assert_eq!(ops, ["MatMul", "Add"]);
        assert_eq!(graph.node[1].input, [product, "x".to_owned()]);
        assert_eq!((graph.input.len(), graph.initializer.len()), (1, 1));
    }
}
