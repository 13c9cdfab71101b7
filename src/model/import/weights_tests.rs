use super::*;

#[test]
fn transposing_swaps_rows_and_columns() {
    assert_eq!(transpose(&[1, 2, 3, 4, 5, 6], 2, 3), [1, 4, 2, 5, 3, 6]);
}

#[test]
fn rotated_pairs_become_halves() {
    // One head of four rows, one column: pairs (0, 1) and (2, 3).
    assert_eq!(
        split_halves(&[0.0, 1.0, 2.0, 3.0], 4, 1),
        [0.0, 2.0, 1.0, 3.0]
    );
}

#[test]
fn rows_that_make_no_heads_stay_as_they_are() {
    assert_eq!(split_halves(&[], 0, 4), Vec::<f32>::new());
    assert_eq!(split_halves(&[0.0, 1.0, 2.0], 3, 1), [0.0, 1.0, 2.0]);
}

#[test]
fn a_matrix_without_rows_or_columns_is_none() {
    for shape in [vec![0, 1 << 60], vec![1 << 60, 0], vec![3]] {
        let weight = Weight {
            shape,
            values: Vec::new(),
        };
        assert!(weight.matrix("x").is_err(), "{:?}", weight.shape);
    }
}

#[test]
fn names_of_transformers_map_to_ggml_names() {
    let name = "model.layers.7.self_attn.o_proj.weight";
    assert_eq!(gguf_name(name).as_deref(), Some("blk.7.attn_output.weight"));
    assert_eq!(gguf_name("model.layers.7.other.weight"), None);
}

#[test]
fn weights_that_a_decoder_of_the_family_has_not_are_told() {
    for name in [
        "model.embed_tokens.weight",
        "model.layers.1.self_attn.q_proj.bias",
        "model.layers.0.post_attention_layernorm.weight",
        "model.layers.0.self_attn.rotary_emb.inv_freq",
    ] {
        assert!(is_of_decoder(name, 2), "{name}");
    }
    for name in [
        "model.layers.2.self_attn.q_proj.weight",
        "model.layers.0.self_attn.q_norm.weight",
        "model.layers.0.self_attn.q_proj.qweight",
        "model.layers.0.mlp.experts.0.up_proj.weight",
        "model.layers.x.mlp.up_proj.weight",
        "score.weight",
    ] {
        assert!(!is_of_decoder(name, 2), "{name}");
    }
    assert!(
        is_of_ggml_decoder("blk.1.attn_q.bias", 2) && is_of_ggml_decoder("rope_freqs.weight", 2)
    );
    for name in [
        "blk.2.attn_q.weight",
        "blk.0.attn_norm.bias",
        "blk.0.attn_q_norm.weight",
    ] {
        assert!(!is_of_ggml_decoder(name, 2), "{name}");
    }
}

#[test]
fn an_index_names_files_beside_it_and_no_others() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["../model.safetensors", "/etc/passwd", "a/b", "", ".."] {
        let json = serde_json::json!({"weight_map": {"x": name}});
        let index = folder.path().join("model.safetensors.index.json");
        std::fs::write(index, json.to_string()).expect("writable");
        let refused = FolderWeights::open(folder.path())
            .err()
            .expect("no file of the folder");
        assert!(refused.to_string().contains("beside it"), "{refused}");
    }
}
