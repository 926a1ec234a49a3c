//! Counts of the kernels that a computation launches on GPUs.

use std::collections::BTreeMap;
use std::fmt;

use super::gpu;

/// Number of kernel launches on GPUs, by kernel.
///
/// ```
/// use ipcgan_model::KernelLaunches;
///
/// let launches = KernelLaunches::of(|| {
///     // A training step on a GPU.
/// });
/// assert_eq!(launches.total(), 0, "{launches}");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelLaunches(BTreeMap<&'static str, usize>);

impl KernelLaunches {
    /// Launches of `run` in this thread. Only one count runs at a time; `run` must not call `KernelLaunches::of`, which
    /// would deadlock.
    pub fn of(run: impl FnOnce()) -> Self {
        Self(gpu::observed_launches(run))
    }

    /// As [`KernelLaunches::of`], in a dry run: kernels are compiled, but not executed, so that steps of any size can be
    /// counted on a software renderer. What `run` computes is undefined.
    ///
    /// While it runs, no thread of the process executes kernels.
    pub fn dry(run: impl FnOnce()) -> Self {
        gpu::without_executing(|| Self::of(run))
    }

    /// Launches of all kernels.
    pub fn total(&self) -> usize {
        self.0.values().sum()
    }
}

/// One line a kernel, most launches first.
impl fmt::Display for KernelLaunches {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut kernels: Vec<_> = self.0.iter().collect();
        kernels.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        kernels.into_iter().try_for_each(|(kernel, count)| writeln!(formatter, "{count:>5} {}", shortened(kernel)))?;
        write!(formatter, "{:>5} in total", self.total())
    }
}

/// `kernel` without the modules of its type and of the types that it is generic over.
fn shortened(kernel: &str) -> String {
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    let mut short = String::new();
    for part in kernel.split_inclusive(|character| !is_name(character) && character != ':') {
        short.push_str(part.rsplit("::").next().unwrap_or(part));
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_lists_kernels_without_modules_and_most_launches_first() {
        let counts = [("a::sum::Sum<b::Line<f32>, u32>", 2), ("cast::Cast", 30)];

        let launches = KernelLaunches(counts.into());

        assert_eq!(launches.to_string(), "   30 Cast\n    2 Sum<Line<f32>, u32>\n   32 in total");
    }
}
