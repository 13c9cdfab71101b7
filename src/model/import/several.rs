//! The graph that goes on with several texts at once, made from that of a single one.
//!
//! Everything but attention looks at one row alone, so the rows of all texts stand below each other in one batch of
//! one: each weight is read once for all. Attention looks at one text alone. ONNX Runtime's operator takes texts of
//! different lengths together only with one row each, and multiplies a single row by kernels of its own, whose
//! last bits differ. So each text has a port: its rows are gathered, attended over its own cache by an
//! operator of its own, exactly as a lone text is, and put back into their places.
//!
//! Inputs: `input_ids` [1, rows]; a port's `port.P.rows` (which rows are its own; one may stand there twice),
//! `port.P.last` and `port.P.total` (index of its last position, and length), `port.P.past.L.key|value`;
//! `joined_rows` (where each row is found in all ports' rows below each other) and `logit_rows` (which rows get logits).
//! Outputs: `logits`, `port.P.present.L.key|value`. The weights are those of the graph that it is made from.

use std::collections::BTreeSet;

use prost::Message as _;

use super::onnx::{
    Attribute, Dim, ElementType, GraphProto, ModelProto, NodeProto, ValueInfo, attribute,
    value_info,
};

/// The graph `model`, as [`super::import_decoder`] writes it, for as many texts at once as `ports`; none where it is
/// no such graph.
pub fn for_several(model: &[u8], ports: usize) -> Option<Vec<u8>> {
    let mut model = ModelProto::decode(model).ok()?;
    let mut single = model.graph.take()?;
    let mut graph = GraphProto {
        name: std::mem::take(&mut single.name),
        initializer: std::mem::take(&mut single.initializer),
        ..GraphProto::default()
    };
    graph
        .initializer
        .retain(|tensor| tensor.name != "logits_start");
    let mut writer = Writer {
        single: &single,
        graph: &mut graph,
        ports,
        layers: 0,
    };
    writer.declare();
    let cut = writer.rewrite()?;
    let whole = cut && writer.layers > 0;
    model.graph = Some(graph);
    whole.then(|| model.encode_to_vec())
}

struct Writer<'a> {
    single: &'a GraphProto,
    graph: &'a mut GraphProto,
    ports: usize,
    layers: usize,
}

impl Writer<'_> {
    fn declare(&mut self) {
        let replaced = |name: &str| {
            ["attention_mask", "logits_start"].contains(&name)
                || name.starts_with("past_key_values.")
        };
        let kept = self.single.input.iter();
        let kept = kept.filter(|input| !replaced(&input.name)).cloned();
        self.graph.input.extend(kept);
        let kept = self.single.output.iter();
        let kept = kept.filter(|output| !output.name.starts_with("present."));
        self.graph.output.extend(kept.cloned());
        for name in ["joined_rows", "logit_rows"] {
            let rows = value_info(name, ElementType::I64, &[Dim::Named(name)]);
            self.graph.input.push(rows);
        }
        for port in 0..self.ports {
            let name = format!("port.{port}.rows");
            let rows = value_info(&name, ElementType::I64, &[Dim::Named(&name)]);
            self.graph.input.push(rows);
            for length in ["last", "total"] {
                let name = format!("port.{port}.{length}");
                let length = value_info(&name, ElementType::I32, &[Dim::Size(1)]);
                self.graph.input.push(length);
            }
        }
    }

    /// Takes over node by node; whether the rows that get logits can be chosen, none where something is not as it
    /// should be.
    fn rewrite(&mut self) -> Option<bool> {
        // What is made of the mask is replaced by the ports' lengths.
        let mut gone = BTreeSet::from(["attention_mask"]);
        let mut cut = false;
        for node in &self.single.node {
            if node.op_type == "GroupQueryAttention" {
                self.attention(node)?;
            } else if node.op_type == "Slice" && node.input.get(1)? == "logits_start" {
                let [states, output] = [node.input.first()?, node.output.first()?];
                self.gather(states, "logit_rows", output);
                cut = true;
            } else if node.input.iter().any(|name| gone.contains(name.as_str())) {
                gone.extend(node.output.iter().map(String::as_str));
            } else {
                self.graph.node.push(node.clone());
            }
        }
        Some(cut)
    }

    fn attention(&mut self, node: &NodeProto) -> Option<()> {
        // The last of those that are replaced.
        node.input.get(6)?;
        let (rows, output) = (node.input.first()?, node.output.first()?);
        let mut attended = Vec::new();
        for port in 0..self.ports {
            let own = format!("port.{port}.{output}.in");
            self.gather(rows, &format!("port.{port}.rows"), &own);
            let mut part = node.clone();
            part.name = format!("port.{port}.{output}");
            part.output[0].clone_from(&part.name);
            part.input[0] = own;
            for (at, side) in [(3, "key"), (4, "value")] {
                part.input[at] = self.cache("past", port, side, node.input.get(at)?)?;
            }
            part.input[5] = format!("port.{port}.last");
            part.input[6] = format!("port.{port}.total");
            for (at, side) in [(1, "key"), (2, "value")] {
                part.output[at] = self.cache("present", port, side, node.output.get(at)?)?;
            }
            attended.push(part.name.clone());
            self.graph.node.push(part);
        }
        let joined = format!("{output}.joined");
        self.graph.node.push(NodeProto {
            input: attended,
            output: vec![joined.clone()],
            name: joined.clone(),
            op_type: "Concat".to_owned(),
            attribute: vec![attribute(&Attribute::Int("axis", 1))],
            ..NodeProto::default()
        });
        self.gather(&joined, "joined_rows", output);
        self.layers += 1;
        Some(())
    }

    /// The port's own cache of this layer in place of `single`; its name.
    fn cache(&mut self, when: &str, port: usize, side: &str, single: &str) -> Option<String> {
        let name = format!("port.{port}.{when}.{}.{side}", self.layers);
        let (from, to) = match when {
            "past" => (&self.single.input, &mut self.graph.input),
            _ => (&self.single.output, &mut self.graph.output),
        };
        let single = from.iter().find(|value| value.name == single)?;
        to.push(ValueInfo {
            name: name.clone(),
            ..single.clone()
        });
        Some(name)
    }

    fn gather(&mut self, values: &str, rows: &str, output: &str) {
        self.graph.node.push(NodeProto {
            input: vec![values.to_owned(), rows.to_owned()],
            output: vec![output.to_owned()],
            name: output.to_owned(),
            op_type: "Gather".to_owned(),
            attribute: vec![attribute(&Attribute::Int("axis", 1))],
            ..NodeProto::default()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_decoder_of_ours_is_refused() {
        assert_eq!(for_several(b"no graph", 2), None);
        let empty = ModelProto {
            graph: Some(GraphProto::default()),
            ..ModelProto::default()
        };
        assert_eq!(for_several(&empty.encode_to_vec(), 2), None);
        let strange = NodeProto {
            op_type: "GroupQueryAttention".to_owned(),
            ..NodeProto::default()
        };
        let strange = ModelProto {
            graph: Some(GraphProto {
                node: vec![strange],
                ..GraphProto::default()
            }),
            ..ModelProto::default()
        };
        assert_eq!(for_several(&strange.encode_to_vec(), 2), None);
    }
}
