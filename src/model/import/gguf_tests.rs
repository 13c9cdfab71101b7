use super::*;

fn header(tensors: u64, keys: u64) -> Vec<u8> {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3u32.to_le_bytes());
    bytes.extend(tensors.to_le_bytes());
    bytes.extend(keys.to_le_bytes());
    bytes
}

#[test]
fn lying_counts_are_refused_before_anything_is_allocated() {
    for (tensors, keys) in [(u64::MAX, 0), (0, u64::MAX), (1 << 40, 1 << 40)] {
        let error = parse_header(&header(tensors, keys)).expect_err("a lie");
        assert!(error.contains("more than the file can hold"), "{error}");
    }
}

#[test]
fn every_truncation_of_a_header_is_an_error() {
    let mut whole = header(1, 1);
    let mut text = |text: &str| {
        whole.extend((text.len() as u64).to_le_bytes());
        whole.extend(text.bytes());
    };
    text("key");
    whole.extend(4u32.to_le_bytes());
    whole.extend(7u32.to_le_bytes());
    whole.extend(6u64.to_le_bytes());
    whole.extend(b"tensor");
    whole.extend(1u32.to_le_bytes());
    whole.extend(2u64.to_le_bytes());
    whole.extend(0u32.to_le_bytes());
    whole.extend(0u64.to_le_bytes());
    whole.resize(whole.len().next_multiple_of(32) + 8, 0);
    assert!(parse_header(&whole).is_ok());
    for length in 0..whole.len() {
        assert!(parse_header(&whole[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn an_array_beyond_any_vocabulary_is_refused_before_it_is_read() {
    let mut bytes = header(0, 1);
    bytes.extend(3u64.to_le_bytes());
    bytes.extend(b"key");
    bytes.extend(9u32.to_le_bytes());
    bytes.extend(0u32.to_le_bytes());
    bytes.extend((MAX_VALUES as u64 + 1).to_le_bytes());
    bytes.resize(bytes.len() + MAX_VALUES + 1, 7);
    let error = parse_header(&bytes).expect_err("too many");
    assert!(error.contains("no vocabulary"), "{error}");
}

#[test]
fn a_tensor_beyond_the_file_is_refused() {
    assert_eq!(tensor_range(0, u64::MAX, &[32], BlockType::F32), None);
    assert_eq!(tensor_range(0, 0, &[usize::MAX, 32], BlockType::F32), None);
    assert_eq!(tensor_range(0, 0, &[31], BlockType::Q8_0), None);
}
