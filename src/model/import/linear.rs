//! Products of a decoder's layers: in single precision, or of 8-bit activations and weights; with the optional low-rank
//! addition of an adapter.

use super::Precision;
use super::llama::DecoderWriter;
use super::onnx::{Attribute, Dim, ElementType};
use super::weights::transpose;
use crate::model::ModelError;

impl DecoderWriter<'_, '_> {
    /// One product for several layers that read the same input, with the optional low-rank addition.
    pub fn linear(
        &mut self,
        input: &str,
        module: &str,
        parts: &[(String, usize)],
        width: usize,
    ) -> Result<String, ModelError> {
        let mut packed = Vec::new();
        let mut bias = Vec::new();
        let mut outputs = 0;
        for (name, rows) in parts {
            packed.extend(
                self.source
                    .expect(&format!("{name}.weight"), &[*rows, width])?,
            );
            let part = format!("{name}.bias");
            if self.source.has(&part)? {
                bias.resize(outputs, 0.0);
                bias.extend(self.source.expect(&part, &[*rows])?);
            }
            outputs += rows;
        }
        let sizes = (width, outputs);
        let mut product = match self.precision {
            Precision::F32 => {
                let weight = format!("{module}.weight");
                let columns = transpose(&packed, outputs, width);
                self.graph.floats(&weight, &[width, outputs], &columns);
                let product = self.graph.node("MatMul", &[input, &weight], &[]);
                let (a, b) = self.low_rank(module, sizes, ElementType::F32);
                let down = self.graph.node("MatMul", &[input, &a], &[]);
                let up = self.graph.node("MatMul", &[&down, &b], &[]);
                self.graph.node("Add", &[&product, &up], &[])
            }
            Precision::Int8 => {
                let (levels, scales) = quantise_rows(&packed, outputs, width);
                let weight = format!("{module}.weight");
                let columns = transpose(&levels, outputs, width);
                self.graph.bytes(&weight, &[width, outputs], &columns);
                let scale = format!("{module}.scale");
                self.graph.floats(&scale, &[outputs], &scales);
                self.quantised_product(input, &weight, &scale, Some((module, sizes)))
            }
        };
        if !bias.is_empty() {
            bias.resize(outputs, 0.0);
            let name = format!("{module}.bias");
            self.graph.floats(&name, &[outputs], &bias);
            product = self.graph.node("Add", &[&product, &name], &[]);
        }
        Ok(product)
    }

    /// `input` scaled row by row to 8 bits, times an 8-bit weight, with the low-rank addition of a module of a known
    /// width and outputs where one is named, scaled back.
    pub fn quantised_product(
        &mut self,
        input: &str,
        weight: &str,
        scale: &str,
        adapted: Option<(&str, (usize, usize))>,
    ) -> String {
        let size = self.graph.node("Abs", &[input], &[]);
        let keep = Attribute::Int("keepdims", 1);
        let largest = self.graph.node("ReduceMax", &[&size, "axis_last"], &[keep]);
        let largest = self.graph.node("Add", &[&largest, "tiny"], &[]);
        let unit = self.graph.node("Div", &[input, &largest], &[]);
        let levels = self
            .graph
            .node("QuantizeLinear", &[&unit, "level", "middle"], &[]);
        let mut product = self.whole_product(&levels, weight, scale);
        if let Some((module, sizes)) = adapted {
            let (a, b) = self.low_rank(module, sizes, ElementType::I8);
            let a_scale = format!("{a}_scale");
            let rank = [Dim::Named(&format!("rank.{module}"))];
            self.graph.input(&a_scale, ElementType::F32, &rank);
            self.graph.floats(&a_scale, &[0], &[]);
            let down = self.whole_product(&levels, &a, &a_scale);
            let up = self.graph.node("MatMul", &[&down, &b], &[]);
            product = self.graph.node("Add", &[&product, &up], &[]);
        }
        self.graph.node("Mul", &[&product, &largest], &[])
    }

    /// Levels of activations times those of a weight, to single precision with the weight's scales.
    fn whole_product(&mut self, levels: &str, weight: &str, scale: &str) -> String {
        let inputs = [levels, weight, "level", scale, "middle"];
        self.graph.contrib("MatMulIntegerToFloat", &inputs, &[])
    }

    /// The optional inputs a and b of `module`, of rank zero by default; their names.
    fn low_rank(
        &mut self,
        module: &str,
        (width, outputs): (usize, usize),
        element: ElementType,
    ) -> (String, String) {
        let (a, b) = (format!("lora.{module}.a"), format!("lora.{module}.b"));
        let rank = format!("rank.{module}");
        self.graph
            .input(&a, element, &[Dim::Size(width), Dim::Named(&rank)]);
        self.graph.input(
            &b,
            ElementType::F32,
            &[Dim::Named(&rank), Dim::Size(outputs)],
        );
        // No values, so no bytes, whatever their type.
        self.graph.constant(&a, element, &[width, 0], Vec::new());
        self.graph.floats(&b, &[0, outputs], &[]);
        (a, b)
    }
}

/// Each row divided by its largest absolute value over 127 and rounded; levels and scales.
pub(in crate::model) fn quantise_rows(
    values: &[f32],
    rows: usize,
    columns: usize,
) -> (Vec<i8>, Vec<f32>) {
    let mut levels = Vec::with_capacity(values.len());
    let mut scales = Vec::with_capacity(rows);
    // A row of nothing has no largest value, and no row comes out of nothing.
    for row in values.chunks_exact(columns.max(1)) {
        let largest = row
            .iter()
            .fold(0f32, |largest, value| largest.max(value.abs()));
        let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
        let inverse = 1.0 / scale;
        levels.extend(row.iter().map(|value| (value * inverse).round() as i8));
        scales.push(scale);
    }
    (levels, scales)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_quantised_to_within_half_a_level() {
        let row = [0.3f32, -1.27, 0.0, 0.014];
        let (levels, scales) = quantise_rows(&row, 1, 4);
        assert_eq!(levels, [30, -127, 0, 1]);
        for (level, value) in levels.iter().zip(row) {
            assert!((f32::from(*level) * scales[0] - value).abs() <= scales[0] / 2.0);
        }
    }

    #[test]
    fn a_row_of_zeros_stays_zero() {
        assert_eq!(quantise_rows(&[0.0; 3], 1, 3), (vec![0, 0, 0], vec![1.0]));
    }
}
