//! The part of ONNX's protobuf format that a graph writer needs, and a small builder over it.
//!
//! Field numbers are those of `onnx.proto3` (ONNX IR version 10). Weights go into one external file,
//! each at a page boundary, so that the runtime can map them.

use std::io::{self, Write};

use prost::Message;

/// Page size to which external tensors are aligned; ONNX Runtime maps only aligned ones.
const ALIGNMENT: usize = 4096;
/// Initializers up to this size stay in the graph: shapes, scales and other constants.
const INLINE_BYTES: usize = 1024;

/// Element types, as `TensorProto.DataType` numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementType {
    /// 32-bit float.
    F32 = 1,
    /// Unsigned byte.
    U8 = 2,
    /// Signed byte.
    I8 = 3,
    /// 32-bit integer.
    I32 = 6,
    /// 64-bit integer.
    I64 = 7,
}

macro_rules! message {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Message)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
    };
}

message!(
    /// A model: the graph and the operator sets it uses.
    ModelProto {
        #[prost(int64, tag = "1")] ir_version: i64,
        #[prost(string, tag = "2")] producer_name: String,
        #[prost(message, optional, tag = "7")] graph: Option<GraphProto>,
        #[prost(message, repeated, tag = "8")] opset_import: Vec<OperatorSetId>,
        #[prost(message, repeated, tag = "14")] metadata: Vec<Entry>,
    }
);
message!(
    /// An operator set.
    OperatorSetId {
        #[prost(string, tag = "1")] domain: String,
        #[prost(int64, tag = "2")] version: i64,
    }
);
message!(
    /// Key and value.
    Entry {
        #[prost(string, tag = "1")] key: String,
        #[prost(string, tag = "2")] value: String,
    }
);
message!(
    /// Nodes in order, constants, inputs and outputs.
    GraphProto {
        #[prost(message, repeated, tag = "1")] node: Vec<NodeProto>,
        #[prost(string, tag = "2")] name: String,
        #[prost(message, repeated, tag = "5")] initializer: Vec<TensorProto>,
        #[prost(message, repeated, tag = "11")] input: Vec<ValueInfo>,
        #[prost(message, repeated, tag = "12")] output: Vec<ValueInfo>,
    }
);
message!(
    /// One operator call.
    NodeProto {
        #[prost(string, repeated, tag = "1")] input: Vec<String>,
        #[prost(string, repeated, tag = "2")] output: Vec<String>,
        #[prost(string, tag = "3")] name: String,
        #[prost(string, tag = "4")] op_type: String,
        #[prost(message, repeated, tag = "5")] attribute: Vec<AttributeProto>,
        #[prost(string, tag = "7")] domain: String,
    }
);
message!(
    /// A constant argument of an operator.
    AttributeProto {
        #[prost(string, tag = "1")] name: String,
        #[prost(float, optional, tag = "2")] f: Option<f32>,
        #[prost(int64, optional, tag = "3")] i: Option<i64>,
        #[prost(bytes = "vec", optional, tag = "4")] s: Option<Vec<u8>>,
        #[prost(int64, repeated, packed = "false", tag = "8")] ints: Vec<i64>,
        #[prost(int32, tag = "20")] kind: i32,
    }
);
message!(
    /// A constant tensor, inline or in the external file.
    TensorProto {
        #[prost(int64, repeated, packed = "false", tag = "1")] dims: Vec<i64>,
        #[prost(int32, tag = "2")] data_type: i32,
        #[prost(string, tag = "8")] name: String,
        #[prost(bytes = "vec", optional, tag = "9")] raw_data: Option<Vec<u8>>,
        #[prost(message, repeated, tag = "13")] external_data: Vec<Entry>,
        #[prost(int32, tag = "14")] data_location: i32,
    }
);
message!(
    /// Name, type and shape of an input or output.
    ValueInfo {
        #[prost(string, tag = "1")] name: String,
        #[prost(message, optional, tag = "2")] kind: Option<TypeProto>,
    }
);
message!(
    /// A tensor type (the only kind used here).
    TypeProto {
        #[prost(message, optional, tag = "1")] tensor: Option<TensorType>,
    }
);
message!(
    /// Element type and shape.
    TensorType {
        #[prost(int32, tag = "1")] element: i32,
        #[prost(message, optional, tag = "2")] shape: Option<ShapeProto>,
    }
);
message!(
    /// A shape.
    ShapeProto {
        #[prost(message, repeated, tag = "1")] dim: Vec<DimProto>,
    }
);
message!(
    /// A size, known or named.
    DimProto {
        #[prost(int64, optional, tag = "1")] value: Option<i64>,
        #[prost(string, optional, tag = "2")] param: Option<String>,
    }
);

/// A size in a shape: known, or named and open.
#[derive(Clone, Copy, Debug)]
pub enum Dim<'a> {
    /// Known.
    Size(usize),
    /// Open.
    Named(&'a str),
}

/// An attribute of a node.
#[derive(Clone, Debug)]
pub enum Attribute {
    /// `INT`
    Int(&'static str, i64),
    /// `FLOAT`
    Float(&'static str, f32),
    /// `INTS`
    Ints(&'static str, Vec<i64>),
    /// `STRING`
    Text(&'static str, &'static str),
}

/// Builds a graph node by node, writing large constants to `data` as they come.
pub struct GraphBuilder<'w> {
    graph: GraphProto,
    data: &'w mut dyn Write,
    data_name: String,
    written: usize,
    names: usize,
    failed: Option<io::Error>,
}

impl<'w> GraphBuilder<'w> {
    /// A graph whose large constants go to `data`, the file that the graph will know as `data_name`.
    pub fn new(name: &str, data: &'w mut dyn Write, data_name: &str) -> Self {
        GraphBuilder {
            graph: GraphProto {
                name: name.to_owned(),
                ..GraphProto::default()
            },
            data,
            data_name: data_name.to_owned(),
            written: 0,
            names: 0,
            failed: None,
        }
    }

    /// Adds an input.
    pub fn input(&mut self, name: &str, element: ElementType, shape: &[Dim<'_>]) {
        self.graph.input.push(value_info(name, element, shape));
    }

    /// Adds an output.
    pub fn output(&mut self, name: &str, element: ElementType, shape: &[Dim<'_>]) {
        self.graph.output.push(value_info(name, element, shape));
    }

    /// Adds a standard ONNX node with one output, whose name is returned.
    pub fn node(&mut self, op: &str, inputs: &[&str], attributes: &[Attribute]) -> String {
        let output = self.fresh(op);
        self.add("", op, inputs, &[&output], attributes);
        output
    }

    /// Adds a node of ONNX Runtime's own operators (`com.microsoft`) with one output, whose name is returned.
    pub fn contrib(&mut self, op: &str, inputs: &[&str], attributes: &[Attribute]) -> String {
        let output = self.fresh(op);
        self.add("com.microsoft", op, inputs, &[&output], attributes);
        output
    }

    /// Adds a node with the given domain and outputs.
    pub fn add(
        &mut self,
        domain: &str,
        op: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[Attribute],
    ) {
        self.names += 1;
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(ToString::to_string).collect(),
            output: outputs.iter().map(ToString::to_string).collect(),
            name: format!("{op}_{}", self.names),
            op_type: op.to_owned(),
            attribute: attributes.iter().map(attribute).collect(),
            domain: domain.to_owned(),
        });
    }

    /// A name that no other value has.
    pub fn fresh(&mut self, stem: &str) -> String {
        self.names += 1;
        format!("{}_{}", stem.to_lowercase(), self.names)
    }

    /// Adds an `f32` constant of the given name.
    pub fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.constant(name, ElementType::F32, shape, bytes);
    }

    /// Adds an `i64` constant of the given name; an empty shape makes it a scalar.
    pub fn integers(&mut self, name: &str, shape: &[usize], values: &[i64]) {
        let bytes = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.constant(name, ElementType::I64, shape, bytes);
    }

    /// Adds an `i8` constant of the given name.
    pub fn bytes(&mut self, name: &str, shape: &[usize], values: &[i8]) {
        let bytes = values.iter().map(|value| *value as u8).collect();
        self.constant(name, ElementType::I8, shape, bytes);
    }

    /// Adds a constant from its little-endian bytes: small ones inline, others in the external file.
    pub fn constant(&mut self, name: &str, element: ElementType, shape: &[usize], bytes: Vec<u8>) {
        let mut tensor = TensorProto {
            dims: shape.iter().map(|size| *size as i64).collect(),
            data_type: element as i32,
            name: name.to_owned(),
            ..TensorProto::default()
        };
        if bytes.len() <= INLINE_BYTES {
            tensor.raw_data = Some(bytes);
        } else {
            let offset = self.append(&bytes);
            let entry = |key: &str, value: String| Entry {
                key: key.to_owned(),
                value,
            };
            tensor.external_data = vec![
                entry("location", self.data_name.clone()),
                entry("offset", offset.to_string()),
                entry("length", bytes.len().to_string()),
            ];
            tensor.data_location = 1;
        }
        self.graph.initializer.push(tensor);
    }

    fn append(&mut self, bytes: &[u8]) -> usize {
        let offset = self.written.next_multiple_of(ALIGNMENT);
        let padding = vec![0; offset - self.written];
        if self.failed.is_none() {
            self.failed = self
                .data
                .write_all(&padding)
                .and_then(|()| self.data.write_all(bytes))
                .err();
        }
        self.written = offset + bytes.len();
        offset
    }

    /// The finished model, encoded.
    ///
    /// # Errors
    /// The first error of writing the external file.
    pub fn finish(self) -> io::Result<Vec<u8>> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let opset = |domain: &str, version| OperatorSetId {
            domain: domain.to_owned(),
            version,
        };
        let model = ModelProto {
            ir_version: 10,
            producer_name: "almanac".to_owned(),
            graph: Some(self.graph),
            opset_import: vec![opset("", 21), opset("com.microsoft", 1)],
            metadata: Vec::new(),
        };
        Ok(model.encode_to_vec())
    }
}

/// The declaration of an input or output.
pub(super) fn value_info(name: &str, element: ElementType, shape: &[Dim<'_>]) -> ValueInfo {
    let dim = shape
        .iter()
        .map(|dim| match dim {
            Dim::Size(size) => DimProto {
                value: Some(*size as i64),
                param: None,
            },
            Dim::Named(name) => DimProto {
                value: None,
                param: Some((*name).to_owned()),
            },
        })
        .collect();
    ValueInfo {
        name: name.to_owned(),
        kind: Some(TypeProto {
            tensor: Some(TensorType {
                element: element as i32,
                shape: Some(ShapeProto { dim }),
            }),
        }),
    }
}

/// `AttributeProto.AttributeType`: FLOAT is 1, INT is 2, STRING is 3, INTS is 7.
pub(super) fn attribute(attribute: &Attribute) -> AttributeProto {
    match attribute {
        Attribute::Int(name, value) => AttributeProto {
            name: (*name).to_owned(),
            i: Some(*value),
            kind: 2,
            ..AttributeProto::default()
        },
        Attribute::Float(name, value) => AttributeProto {
            name: (*name).to_owned(),
            f: Some(*value),
            kind: 1,
            ..AttributeProto::default()
        },
        Attribute::Ints(name, values) => AttributeProto {
            name: (*name).to_owned(),
            ints: values.clone(),
            kind: 7,
            ..AttributeProto::default()
        },
        Attribute::Text(name, text) => AttributeProto {
            name: (*name).to_owned(),
            s: Some(text.as_bytes().to_vec()),
            kind: 3,
            ..AttributeProto::default()
        },
    }
}
