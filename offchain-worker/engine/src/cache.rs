//! Keys and values of the tokens already seen, in buffers allocated once.

use burn::tensor::{s, Device, Tensor};

use crate::config::LlamaConfig;

/// One layer's buffers, each `[batch, kv_heads, capacity, head_dim]`.
#[derive(Debug)]
struct LayerCache {
    keys: Tensor<4>,
    values: Tensor<4>,
}

/// Key–value cache of one batch of sequences that advance together.
///
/// New tokens are written into slices of the preallocated buffers; nothing is concatenated or
/// copied as the sequence grows.
#[derive(Debug)]
pub struct KvCache {
    // `None` only while a layer's buffers are lent to a write, so that the write is in place.
    layers: Vec<Option<LayerCache>>,
    shape: [usize; 4],
    device: Device,
    len: usize,
}

impl KvCache {
    /// An empty cache for `batch` sequences of up to `capacity` tokens. Buffers are allocated when
    /// the first token arrives.
    pub fn new(config: &LlamaConfig, batch: usize, capacity: usize, device: &Device) -> Self {
        Self {
            layers: (0..config.num_hidden_layers).map(|_| None).collect(),
            shape: [batch, config.num_key_value_heads, capacity, config.head_dim],
            device: device.clone(),
            len: 0,
        }
    }

    /// Tokens held per sequence.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no token is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Most tokens per sequence.
    pub fn capacity(&self) -> usize {
        self.shape[2]
    }

    /// Forgets every token from `len` on; later tokens overwrite them.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Whether it holds one sequence of a model of this shape on this device.
    pub(crate) fn fits(&self, config: &LlamaConfig, device: &Device) -> bool {
        let [batch, kv_heads, _, head_dim] = self.shape;
        let ours = [batch, self.layers.len(), kv_heads, head_dim];
        let theirs = [
            1,
            config.num_hidden_layers,
            config.num_key_value_heads,
            config.head_dim,
        ];
        ours == theirs && self.device == *device
    }

    /// Writes the new tokens' keys and values (`[batch, kv_heads, new, head_dim]`) behind those of
    /// `layer` and returns views of all of them. [`Self::advance`] makes them count.
    pub(crate) fn append(
        &mut self,
        layer: usize,
        keys: Tensor<4>,
        values: Tensor<4>,
    ) -> (Tensor<4>, Tensor<4>) {
        let end = self.len + keys.dims()[2];
        let held = self.layers[layer].take().unwrap_or_else(|| LayerCache {
            keys: Tensor::zeros(self.shape, &self.device),
            values: Tensor::zeros(self.shape, &self.device),
        });
        let region = s![.., .., self.len..end, ..];
        let held = LayerCache {
            keys: held.keys.slice_assign(region, keys),
            values: held.values.slice_assign(region, values),
        };
        let seen = s![.., .., 0..end, ..];
        let views = (
            held.keys.clone().slice(seen),
            held.values.clone().slice(seen),
        );
        self.layers[layer] = Some(held);
        views
    }

    /// Counts `new` tokens as held, after every layer has appended them.
    pub(crate) fn advance(&mut self, new: usize) {
        self.len += new;
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Int, TensorData};

    use super::*;

    // GIVEN a cache that has taken a prompt and two tokens
    // WHEN nothing is in flight
    // THEN nobody else holds its buffers, so the next write is in place and copies nothing
    #[test]
    fn writes_are_in_place() {
        let device = crate::device::open("cpu").unwrap();
        let text = r#"{"architectures": ["LlamaForCausalLM"], "vocab_size": 16, "hidden_size": 8,
            "intermediate_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
            "num_key_value_heads": 1, "max_position_embeddings": 32}"#;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        std::fs::write(&path, text).unwrap();
        let config = LlamaConfig::from_file(&path).unwrap();
        let model = config.init(1, &device);
        let mut cache = KvCache::new(&config, 1, 32, &device);
        for ids in [vec![1i64, 2, 3], vec![4], vec![5]] {
            let shape = [1, ids.len()];
            let tokens = Tensor::<2, Int>::from_data(TensorData::new(ids, shape), &device);
            let _ = model.forward_cached(tokens, &mut cache);
            for layer in cache.layers.iter().flatten() {
                assert!(layer.keys.can_mut() && layer.values.can_mut());
            }
        }
        assert_eq!(cache.len(), 5);
    }
}
