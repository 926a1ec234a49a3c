//! Networks, losses and weights files of IPCGAN, the identity-preserved conditional GAN
//! for face ageing (Wang, Tang, Luo, Gao: *Face Aging with Identity-Preserved Conditional
//! Generative Adversarial Networks*, CVPR 2018).
//!
//! A face is a tensor `[batch, 3, height, width]`, RGB, in [-1, 1]; an age group is an index in
//! `[batch]`. The device decides where and whether gradients are recorded.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use ipcgan_model::{AgeGroups, GeneratorConfig};
//!
//! let device = Device::flex();
//! let generator = GeneratorConfig::new().with_width(8).init(&AgeGroups::default(), 0, &device);
//! let face = Tensor::<4>::zeros([1, 3, 64, 64], &device);
//! let target_group = Tensor::from_data([4], &device);
//!
//! let aged = generator.forward(face, target_group);
//!
//! assert_eq!(aged.dims(), [1, 3, 64, 64]);
//! ```
//!
//! In reading order: [`AgeGroups`], [`AgeBlend`], [`Generator`], [`Discriminator`],
//! [`AlexNet`], [`loss`], [`weights`], [`onnx`]; [`CpuKernels`] computes on the CPU.

mod age_blend;
mod age_group;
mod alexnet;
mod alexnet_input;
mod condition;
mod differentiable_augmentation;
mod discriminator;
mod error;
mod generator;
mod initialization;
mod judge;
mod layers;
pub mod loss;
mod network_size;
pub mod onnx;
mod operation;
#[cfg(test)]
mod random_tensors;
pub mod weights;
mod yunet;

pub use age_blend::AgeBlend;
pub use age_group::AgeGroups;
pub use alexnet::{AgeHead, AlexNet, AlexNetConfig, FrozenAlexNet, IdentityHead, Trunk};
pub use alexnet_input::alexnet_input;
pub use differentiable_augmentation::{AUGMENTATION_DRAWS, DifferentiableAugmentation};
pub use discriminator::{Discriminator, DiscriminatorConfig};
pub use error::ModelError;
pub use generator::{Generator, GeneratorConfig, GeneratorOutput, InferenceGenerator};
pub use ipcgan_kernels::Adam;
pub use judge::{AgeEstimator, Recogniser};
pub use network_size::InvalidSize;
pub use operation::{CpuKernels, Precision, SquareSum, adam_update, can_adam_update, ema_tensor_update, is_cpu};
pub use yunet::Yunet;
