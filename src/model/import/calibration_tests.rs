use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::*;

/// Name, type, shape and bytes of a tensor.
type Stored = (&'static str, Dtype, Vec<usize>, Vec<u8>);

/// One layer: hidden 2, two query heads of 2 that share one key head, intermediate 3.
fn file(change: impl Fn(&mut Vec<Stored>)) -> Vec<u8> {
    let exponents = |of: &[i8]| of.iter().map(|it| it.cast_unsigned()).collect();
    let sizes = |of: [f32; 2]| of.into_iter().flat_map(f32::to_le_bytes).collect();
    let mut tensors = vec![
        ("0.qkv", Dtype::I8, vec![2], exponents(&[1, -1])),
        ("0.o", Dtype::I8, vec![1, 2], exponents(&[2, 0])),
        ("0.gate_up", Dtype::I8, vec![2], exponents(&[0, 3])),
        ("0.down", Dtype::I8, vec![3], exponents(&[-2, 0, 1])),
        ("0.keys", Dtype::F32, vec![1, 2], sizes([127.0, 0.0])),
        ("0.values", Dtype::F32, vec![1, 2], sizes([127.0, 127.0])),
    ];
    change(&mut tensors);
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        let view = TensorView::new(*dtype, shape.clone(), bytes);
        (*name, view.expect("sizes match"))
    });
    safetensors::serialize(views, None).expect("it can be written")
}

fn calibration() -> Calibration {
    Calibration::parse(file(|_| {}), Path::new("scales")).expect("they are right")
}

fn folded(name: &str, shape: &[usize]) -> Vec<f32> {
    let mut weight = Weight {
        shape: shape.to_vec(),
        values: vec![1.0; shape.iter().product()],
    };
    calibration().fold(name, &mut weight);
    weight.values
}

#[test]
fn what_a_module_reads_is_divided_where_it_is_written() {
    let layer = |rest: &str| format!("model.layers.0.{rest}");
    for (name, shape, expected) in [
        ("input_layernorm.weight", &[2][..], &[0.5, 2.0][..]),
        ("self_attn.k_proj.weight", &[1, 2], &[2.0, 0.5]),
        ("self_attn.k_proj.bias", &[1], &[1.0]),
        ("self_attn.v_proj.weight", &[2, 2], &[0.5, 0.125, 2.0, 0.5]),
        ("self_attn.v_proj.bias", &[2], &[0.25, 1.0]),
        ("self_attn.o_proj.weight", &[1, 4], &[4.0, 1.0, 4.0, 1.0]),
        ("post_attention_layernorm.weight", &[2], &[1.0, 0.125]),
        ("mlp.gate_proj.weight", &[1, 2], &[1.0, 8.0]),
        ("mlp.up_proj.weight", &[3, 1], &[4.0, 1.0, 0.5]),
        ("mlp.down_proj.weight", &[1, 3], &[0.25, 1.0, 2.0]),
    ] {
        assert_eq!(folded(&layer(name), shape), expected, "{name}");
    }
}

#[test]
fn what_lies_outside_of_the_layers_stays() {
    for name in [
        "model.norm.weight",
        "lm_head.weight",
        "model.layers.1.mlp.up_proj.weight",
    ] {
        assert_eq!(folded(name, &[2, 2]), [1.0; 4], "{name}");
    }
}

#[test]
fn an_adapters_factors_move_along() {
    let ones = |shape: [usize; 2]| Weight {
        shape: shape.to_vec(),
        values: vec![1.0; shape[0] * shape[1]],
    };
    let (mut a, mut b) = (ones([1, 2]), ones([2, 1]));
    calibration().adapt("0", "self_attn.v_proj", &mut a, &mut b);
    assert_eq!(a.values, [2.0, 0.5]);
    assert_eq!(b.values, [0.25, 1.0]);
}

#[test]
fn a_cache_in_8_bits_has_a_little_room_above_what_was_measured() {
    let steps = calibration().cache_steps(0).expect("there is a layer");
    let near = |found: f32, expected: f32| (found - expected).abs() < 1e-6 * expected.max(1.0);
    assert!(
        near(steps.keys[0], ROOM) && steps.keys[1] > 0.0,
        "{steps:?}"
    );
    // Values are kept divided by what their readers take over.
    assert!(near(steps.values[0], ROOM / 4.0), "{steps:?}");
    assert!(near(steps.values[1], ROOM), "{steps:?}");
    assert_eq!(calibration().cache_steps(1), None);
}

#[test]
fn a_file_that_holds_no_scales_is_refused_with_what_is_wrong() {
    let wrong = |file: Vec<u8>| {
        let parsed = Calibration::parse(file, Path::new("scales"));
        parsed.expect_err("it is refused").to_string()
    };
    assert!(wrong(b"noise".to_vec()).contains("not a usable calibration"));
    assert!(wrong(file(Vec::clear)).contains("0 tensors"));
    let missing = wrong(file(|tensors| tensors[1].0 = "1.o"));
    assert!(missing.contains("there is no 0.o"), "{missing}");
    let flat = wrong(file(|tensors| tensors[1].2 = vec![2]));
    assert!(flat.contains("heads are expected"), "{flat}");
    let far = wrong(file(|tensors| tensors[0].3[1] = 100));
    assert!(far.contains("exponent 100"), "{far}");
    let typed = wrong(file(|tensors| tensors[0].1 = Dtype::U8));
    assert!(typed.contains("I8 is expected"), "{typed}");
    let endless = wrong(file(|tensors| tensors[4].3[3] = 0xff));
    assert!(endless.contains("no sizes"), "{endless}");
}
