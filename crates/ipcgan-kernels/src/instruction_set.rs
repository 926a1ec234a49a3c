//! SIMD instruction sets.

use pulp::{Arch, Scalar128b, Simd, WithSimd};

/// A SIMD instruction set that this processor supports.
#[derive(Clone, Copy, Debug)]
pub enum InstructionSet {
    /// Portable code of four lanes, which the compiler maps to the baseline instructions.
    Portable,
    /// AVX-512, AVX2 with FMA, or NEON, detected at run time.
    Native(Arch),
}

impl InstructionSet {
    /// The fastest set.
    pub fn best() -> Self {
        match Arch::new() {
            Arch::Scalar => Self::Portable,
            arch => Self::Native(arch),
        }
    }

    /// Every set that can be used here, slowest first.
    pub fn available() -> Vec<Self> {
        std::iter::once(Self::Portable).chain(native().into_iter().map(Self::Native)).collect()
    }

    pub(crate) fn run<Kernel: WithSimd>(self, kernel: Kernel) -> Kernel::Output {
        match self {
            Self::Portable => Scalar128b::vectorize(Scalar128b, kernel),
            Self::Native(arch) => arch.dispatch(kernel),
        }
    }

    /// Values in a vector.
    pub(crate) fn lanes(self) -> usize {
        self.run(Shape).0
    }

    /// Vectors side by side in the widest block that leaves registers for its sums.
    pub(crate) fn vectors(self) -> usize {
        self.run(Shape).1
    }
}

/// The sets of this kind of processor that this one has, slowest first.
#[cfg(target_arch = "x86_64")]
fn native() -> Vec<Arch> {
    let sets = [pulp::x86::V3::try_new().map(Arch::V3), pulp::x86::V4::try_new().map(Arch::V4)];
    sets.into_iter().flatten().collect()
}

#[cfg(target_arch = "aarch64")]
fn native() -> Vec<Arch> {
    pulp::aarch64::Neon::try_new().map(Arch::Neon).into_iter().collect()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn native() -> Vec<Arch> {
    Vec::new()
}

/// Reads off lanes and vectors.
struct Shape;

impl WithSimd for Shape {
    type Output = (usize, usize);

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> (usize, usize) {
        (S::F32_LANES, if S::REGISTER_COUNT >= 32 { 4 } else { 2 })
    }
}
