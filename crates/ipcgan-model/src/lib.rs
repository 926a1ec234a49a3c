#![doc = include_str!("../README.md")]
//!
#![doc = concat!("![A photo, and five age groups](data:image/webp;base64,", include_str!("../front_picture.txt"), ")")]
//!
//! In reading order: [`AgeGroups`], [`AgeBlend`], [`Generator`], [`Discriminator`],
//! [`AlexNet`], [`loss`], [`weights`], [`onnx`].

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
mod invalid_config;
mod judge;
mod layers;
pub mod loss;
mod named_visitor;
mod network_size;
pub mod onnx;
mod operation;
mod projected_discriminator;
#[cfg(test)]
mod random_tensors;
#[cfg(test)]
mod relative_error;
pub mod weights;
mod yunet;

pub use age_blend::AgeBlend;
pub use age_group::{AgeGroups, InvalidAgeGroups};
pub use alexnet::{AgeHead, AlexNet, AlexNetConfig, FrozenAlexNet, IdentityHead, Trunk};
pub use alexnet_input::alexnet_input;
pub use differentiable_augmentation::{AUGMENTATION_DRAWS, DifferentiableAugmentation};
pub use discriminator::{Discriminator, DiscriminatorConfig};
pub use error::ModelError;
pub use generator::{Generator, GeneratorConfig, GeneratorOutput, InferenceGenerator};
pub use invalid_config::InvalidConfig;
pub use ipcgan_kernels::Adam;
pub use judge::{AgeEstimator, FaceRes, Recogniser};
pub use named_visitor::{NamedVisitor, visit_named};
pub use operation::{
    KernelLaunches, MultiTensorScale, Precision, SquareSum, StepGraph, TensorCopies, WindowOffset, adam_update,
    can_adam_update, diversity, ema_tensor_update, is_flex, renew_window_offset, update_together, window,
};
pub use projected_discriminator::ProjectedDiscriminator;
pub use yunet::Yunet;
