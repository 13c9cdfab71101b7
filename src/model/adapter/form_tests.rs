use super::*;

fn half(values: &[f32]) -> Vec<u8> {
    let halves = values.iter();
    halves
        .flat_map(|value| f16::from_f32(*value).to_le_bytes())
        .collect()
}

/// A file of `tensors` in half precision, but those of int8 and their scales.
fn file(tensors: &[(&str, [usize; 2], Vec<f32>)]) -> Vec<u8> {
    let bytes: Vec<_> = tensors.iter().map(|(_, _, values)| half(values)).collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        (
            *name,
            TensorView::new(Dtype::F16, shape.to_vec(), bytes).expect("sizes match"),
        )
    });
    safetensors::serialize(views, None).expect("serialises")
}

/// A block that reads 2 values, with 1 query, 1 key and 2 value outputs.
fn sizes() -> Sizes {
    let sizes = [
        ("lora.0.qkv.a", 2),
        ("lora.0.qkv.b", 4),
        ("lora.0.qkv.a_scale", 0),
    ];
    sizes.map(|(name, size)| (name.to_owned(), size)).into()
}

fn right() -> Vec<(&'static str, [usize; 2], Vec<f32>)> {
    vec![
        ("lora.0.self_attn.q_proj.a", [1, 2], vec![1.0, 2.0]),
        ("lora.0.self_attn.q_proj.b", [1, 1], vec![1.5]),
        (
            "lora.0.self_attn.k_proj.a",
            [2, 2],
            vec![4.0, 5.0, 6.0, 7.0],
        ),
        ("lora.0.self_attn.k_proj.b", [2, 1], vec![2.5, 3.5]),
        ("lora.0.self_attn.v_proj.a", [1, 2], vec![8.0, 9.0]),
        ("lora.0.self_attn.v_proj.b", [1, 2], vec![4.5, 5.5]),
    ]
}

fn refused(tensors: &[(&str, [usize; 2], Vec<f32>)]) -> String {
    let file = file(tensors);
    let tensors = SafeTensors::deserialize(&file).expect("our own");
    apart(&tensors, &sizes()).expect_err("does not fit")
}

#[test]
fn layers_that_lie_apart_make_what_the_form_before_has_packed() {
    let new = file(&right());
    let a = [1.0, 4.0, 6.0, 8.0, 2.0, 5.0, 7.0, 9.0].to_vec();
    #[rustfmt::skip]
        let b = [
            1.5, 0.0, 0.0, 0.0,
            0.0, 2.5, 0.0, 0.0,
            0.0, 3.5, 0.0, 0.0,
            0.0, 0.0, 4.5, 5.5,
        ].to_vec();
    let old = file(&[("lora.0.qkv.a", [2, 4], a), ("lora.0.qkv.b", [4, 4], b)]);
    let new = SafeTensors::deserialize(&new).expect("our own");
    let old = SafeTensors::deserialize(&old).expect("our own");
    let new = apart(&new, &sizes()).expect("fits");
    assert_eq!(new, packed(&old, &sizes()).expect("fits"));
    assert_eq!((new.len(), new[0].ranks, new[0].b[6]), (1, 4, 0.0));
}

#[test]
fn what_the_graph_has_no_place_for_is_refused_by_name() {
    let mut more = right();
    more.push(("lora.7.self_attn.o_proj.a", [1, 2], vec![0.0; 2]));
    assert_eq!(
        refused(&more),
        "lora.7.self_attn.o_proj.a: there is no input lora.7.o.a that takes it"
    );
    more.pop();
    more.push(("lora.0.self_attn.w_proj.a", [1, 2], vec![0.0; 2]));
    assert_eq!(
        refused(&more),
        "lora.0.self_attn.w_proj.a is no part of an adapter"
    );
}

#[test]
fn a_factor_of_another_size_or_without_its_partner_is_refused_by_name() {
    let mut wide = right();
    wide[0] = ("lora.0.self_attn.q_proj.a", [1, 3], vec![0.0; 3]);
    assert!(refused(&wide).starts_with("lora.0.self_attn.q_proj.a reads 3 values"));
    let mut other_rank = right();
    other_rank[1] = ("lora.0.self_attn.q_proj.b", [2, 1], vec![0.0; 2]);
    let said = refused(&other_rank);
    assert!(
        said.starts_with("lora.0.self_attn.q_proj.a has rank 1"),
        "{said}"
    );
    let mut many = right();
    many[5] = ("lora.0.self_attn.v_proj.b", [1, 3], vec![0.0; 3]);
    assert!(
        refused(&many).contains("give 5 outputs"),
        "{}",
        refused(&many)
    );
    let mut half = right();
    half.remove(3);
    assert_eq!(refused(&half), "there is no lora.0.self_attn.k_proj.b");
}
