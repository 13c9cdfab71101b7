//! Writes GGUF files (version 3), as llama.cpp's `docs/gguf.md` describes them, for tests.

/// A value of the metadata.
#[derive(Clone, Debug)]
pub enum Meta {
    Text(String),
    Number(u32),
    Float(f32),
    Texts(Vec<String>),
    Numbers(Vec<i32>),
}

impl From<&str> for Meta {
    fn from(text: &str) -> Self {
        Meta::Text(text.into())
    }
}

impl From<usize> for Meta {
    fn from(number: usize) -> Self {
        Meta::Number(u32::try_from(number).expect("a small number"))
    }
}

impl From<f32> for Meta {
    fn from(number: f32) -> Self {
        Meta::Float(number)
    }
}

impl From<Vec<String>> for Meta {
    fn from(texts: Vec<String>) -> Self {
        Meta::Texts(texts)
    }
}

/// A tensor of any type, by its number in ggml, as the file has it.
#[derive(Clone, Debug)]
pub struct Tensor {
    pub name: String,
    /// Slowest first.
    pub shape: Vec<usize>,
    pub kind: u32,
    pub bytes: Vec<u8>,
}

/// The file.
pub fn write(metadata: &[(String, Meta)], tensors: &[Tensor]) -> Vec<u8> {
    const ALIGNMENT: usize = 32;
    let mut file = b"GGUF".to_vec();
    file.extend(3u32.to_le_bytes());
    file.extend((tensors.len() as u64).to_le_bytes());
    file.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata {
        text(&mut file, key);
        meta(&mut file, value);
    }
    let mut offset = 0;
    for tensor in tensors {
        text(&mut file, &tensor.name);
        file.extend((tensor.shape.len() as u32).to_le_bytes());
        for size in tensor.shape.iter().rev() {
            file.extend((*size as u64).to_le_bytes());
        }
        file.extend(tensor.kind.to_le_bytes());
        file.extend((offset as u64).to_le_bytes());
        offset += tensor.bytes.len().next_multiple_of(ALIGNMENT);
    }
    for tensor in tensors {
        file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
        file.extend(&tensor.bytes);
    }
    file
}

fn text(file: &mut Vec<u8>, text: &str) {
    file.extend((text.len() as u64).to_le_bytes());
    file.extend(text.bytes());
}

/// The type's number, then the value.
fn meta(file: &mut Vec<u8>, value: &Meta) {
    let kind = |file: &mut Vec<u8>, kind: u32| file.extend(kind.to_le_bytes());
    let array = |file: &mut Vec<u8>, of: u32, count: usize| {
        kind(file, 9);
        kind(file, of);
        file.extend((count as u64).to_le_bytes());
    };
    match value {
        Meta::Number(number) => {
            kind(file, 4);
            file.extend(number.to_le_bytes());
        }
        Meta::Float(number) => {
            kind(file, 6);
            file.extend(number.to_le_bytes());
        }
        Meta::Text(word) => {
            kind(file, 8);
            text(file, word);
        }
        Meta::Texts(words) => {
            array(file, 8, words.len());
            words.iter().for_each(|word| text(file, word));
        }
        Meta::Numbers(numbers) => {
            array(file, 5, numbers.len());
            numbers
                .iter()
                .for_each(|number| file.extend(number.to_le_bytes()));
        }
    }
}
