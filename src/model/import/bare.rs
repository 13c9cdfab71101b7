//! A decoder's graph without its inputs for adapters, for a box that has none.

use std::collections::{HashMap, HashSet};

use prost::Message as _;

use super::onnx::{GraphProto, ModelProto};

/// What all inputs for adapters begin with.
const PREFIX: &str = "lora.";

/// The graph `model` without inputs for adapters; none where it is no graph.
pub fn without_adapters(model: &[u8]) -> Option<Vec<u8>> {
    let mut model = ModelProto::decode(model).ok()?;
    strip(model.graph.as_mut()?);
    Some(model.encode_to_vec())
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
