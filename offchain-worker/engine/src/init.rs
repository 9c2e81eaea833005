//! Fresh parameters out of a seed, drawn on the host so that they are the same on every device.

use std::convert::Infallible;

use blake2::digest::consts::U8;
use blake2::{Blake2b, Digest};
use burn::tensor::{Device, Tensor, TensorData};

use crate::config::LlamaConfig;
use crate::model::{Llama, ParameterSource};
use crate::philox::{key_from_u64, normal_pair};

/// Draws every matrix from a normal distribution, sets norms to one and biases to zero.
///
/// Each tensor has its own stream, named by seed and tensor name, so it depends neither on the
/// order of creation nor on the other tensors' sizes.
struct SeededSource<'a> {
    seed: u64,
    deviation: f64,
    device: &'a Device,
}

impl ParameterSource for SeededSource<'_> {
    type Error = Infallible;

    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Tensor<2>, Infallible> {
        let digest = Blake2b::<U8>::new()
            .chain_update(b"chasqui/init")
            .chain_update(self.seed.to_le_bytes())
            .chain_update(name)
            .finalize();
        let key = key_from_u64(u64::from_le_bytes(digest.into()));
        let len = shape[0] * shape[1];
        let mut values = Vec::with_capacity(len + 1);
        for index in 0..len.div_ceil(2) as u64 {
            values.extend(normal_pair(key, index).map(|x| (x * self.deviation) as f32));
        }
        values.truncate(len);
        Ok(Tensor::from_data(
            TensorData::new(values, shape),
            self.device,
        ))
    }

    fn vector(&mut self, name: &str, len: usize) -> Result<Tensor<1>, Infallible> {
        let value = if name.ends_with(".bias") { 0f32 } else { 1f32 };
        Ok(Tensor::from_data(
            TensorData::new(vec![value; len], [len]),
            self.device,
        ))
    }
}

impl LlamaConfig {
    /// A model with fresh parameters: matrices normal with standard deviation
    /// `initializer_range`, norms one, biases zero. The same seed gives the same bits on every
    /// device; use a device with autodiff to train it.
    pub fn init(&self, seed: u64, device: &Device) -> Llama {
        let mut source = SeededSource {
            seed,
            deviation: self.initializer_range,
            device,
        };
        let Ok(model) = Llama::from_source(self, &mut source);
        model
    }
}
