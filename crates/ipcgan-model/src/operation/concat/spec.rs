//! The parts of a batch that a concatenation takes.

/// Gathers equal parts of a batch by index.
#[derive(Clone, Debug)]
pub(crate) struct BatchGather {
    /// Number of parts of the batch.
    pub(crate) parts: usize,
    /// Indices of the parts that make up the output.
    pub(crate) indices: Vec<usize>,
}

impl BatchGather {
    /// The whole batch, unchanged.
    pub(crate) fn identity() -> Self {
        Self { parts: 1, indices: vec![0] }
    }

    /// For each image of the output, the index of its image in the input.
    pub(super) fn images(&self, batch: usize) -> Vec<usize> {
        let part = batch / self.parts;
        self.indices.iter().flat_map(|index| index * part..(index + 1) * part).collect()
    }
}
