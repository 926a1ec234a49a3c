//! The golden files that PyTorch wrote, and the fill rule that both sides share
//! (`tests/reference/README.md`).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor, TensorData};
use ipcgan::DeviceChoice;
use ipcgan::model::{
    AgeGroups, AlexNet, AlexNetConfig, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig,
};
use safetensors::SafeTensors;

const TEST_DEVICE: &str = "IPCGAN_TEST_DEVICE";

/// The largest difference that is rounding, as a share of a tensor's largest value.
pub(crate) const FORWARD_TOLERANCE: f32 = 1e-4;

/// The device that the networks are checked on: that of `IPCGAN_TEST_DEVICE`, or the CPU.
///
/// # Panics
/// It was not built in or does not work here.
pub(crate) fn device() -> Device {
    // Opened once: tests run side by side, and a driver is set up only once in a process.
    static DEVICE: LazyLock<Device> = LazyLock::new(|| {
        let choice = std::env::var(TEST_DEVICE).map_or(DeviceChoice::Cpu, |name| name.parse().unwrap());
        choice.resolve().unwrap()
    });
    DEVICE.clone()
}

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference")
}

/// Sizes of the networks in the golden files.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Size {
    Tiny,
    Paper,
}

impl Size {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::Paper => "paper",
        }
    }

    pub(crate) fn generator(self, device: &Device) -> Generator {
        let config = match self {
            Self::Tiny => GeneratorConfig::new().with_width(4).with_residual_blocks(2),
            Self::Paper => GeneratorConfig::new(),
        };
        filled(config.init(&AgeGroups::default(), 0, device), "generator")
    }

    pub(crate) fn discriminator(self, device: &Device) -> Discriminator {
        let config = match self {
            Self::Tiny => DiscriminatorConfig::new().with_width(4),
            Self::Paper => DiscriminatorConfig::new(),
        };
        filled(config.init(&AgeGroups::default(), 0, device), "discriminator")
    }

    pub(crate) fn alexnet(self, device: &Device) -> AlexNet {
        let config = match self {
            Self::Tiny => AlexNetConfig::new(10).with_width(4).with_hidden(32).with_embedding(16),
            Self::Paper => AlexNetConfig::new(2000),
        };
        filled(config.init(&AgeGroups::default(), 0, device), "alexnet")
    }
}

/// Numbers by name, as one golden file holds them.
pub(crate) struct Golden(HashMap<String, TensorData>);

impl Golden {
    pub(crate) fn read(name: &str) -> Self {
        let bytes = std::fs::read(folder().join(format!("{name}.safetensors"))).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file.iter().map(|(name, view)| {
            let values: Vec<f32> =
                view.data().chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
            (name.to_string(), TensorData::new(values, view.shape().to_vec()))
        });
        Self(tensors.collect())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn values(&self, name: &str) -> Vec<f32> {
        self.0[name].clone().try_into_vec::<f32>().unwrap()
    }

    pub(crate) fn scalar(&self, name: &str) -> f32 {
        self.values(name)[0]
    }

    /// The tensor must agree within `tolerance` of the golden one's largest value.
    pub(crate) fn check<const D: usize>(&self, name: &str, found: Tensor<D>, tolerance: f32) {
        let expected = &self.0[name];
        let found = found.into_data();
        assert_eq!(found.shape(), expected.shape(), "shape of {name}");
        let found = found.try_into_vec::<f32>().unwrap();
        let expected = self.values(name);
        let largest = expected.iter().fold(0f32, |max, value| max.max(value.abs()));
        let difference =
            found.iter().zip(&expected).fold(0f32, |max, (found, expected)| max.max((found - expected).abs()));
        println!("{name}: {:.1e} of its largest value", difference / largest);
        assert!(
            difference <= tolerance * largest,
            "{name} differs by {difference:e}, {:e} of its largest value",
            difference / largest
        );
    }
}

/// The input tensor called `name`: values in [-1, 1).
pub(crate) fn input<const D: usize>(name: &str, shape: [usize; D], device: &Device) -> Tensor<D> {
    let values: Vec<f32> = uniform(name, shape.iter().product()).map(|u| (2.0 * u - 1.0) as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// `network` with every parameter and running statistic computed from its own name.
pub(crate) fn filled<M: Module>(network: M, prefix: &str) -> M {
    network.map(&mut Fill { path: vec![prefix.into()], container: vec![] })
}

/// Numbers in [0, 1) that depend on `name` alone.
fn uniform(name: &str, count: usize) -> impl Iterator<Item = f64> {
    let seed = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    (1..=count as u64).map(move |i| {
        let mut z = seed.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 40) as f64 / f64::from(1u32 << 24)
    })
}

struct Fill {
    path: Vec<String>,
    container: Vec<String>,
}

impl ModuleMapper for Fill {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        // PyTorch's names of batch norm's parameters.
        let name = match name {
            "gamma" => "weight",
            "beta" => "bias",
            name => name,
        };
        self.path.push(name.into());
        self.container.push(container_type.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
        self.container.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.join(".");
        let layer = self.container.last().cloned().unwrap_or_default();
        param.map(|tensor| {
            let device = tensor.device();
            let mut shape = tensor.dims();
            let linear = layer.ends_with("Linear") && D == 2;
            if linear {
                shape.swap(0, 1); // PyTorch keeps `[outputs, inputs]`.
            }
            let values = fill_values(&name, &layer, &shape);
            let value = Tensor::<D>::from_data(TensorData::new(values, shape), &device);
            let value = if linear { value.swap_dims(0, 1) } else { value };
            value.set_require_grad(tensor.is_require_grad())
        })
    }
}

fn fill_values(name: &str, layer: &str, shape: &[usize]) -> Vec<f32> {
    let last = name.rsplit('.').next().unwrap();
    let value = |u: f64| {
        let signed = 2.0 * u - 1.0;
        match last {
            "running_mean" => 0.1 * signed,
            "running_var" => 1.0 + 0.5 * u,
            "bias" => 0.1 * signed,
            "weight" if layer.ends_with("BatchNorm") => 1.0 + 0.2 * signed,
            "weight" => {
                let inputs = if layer.ends_with("ConvTranspose2d") { shape[0] } else { shape[1] };
                let fan_in = inputs * shape[2..].iter().product::<usize>();
                let scale = if name == "alexnet.trunk.conv1.weight" { 64.0 } else { 1.0 };
                (6.0 / fan_in as f64).sqrt() * signed / scale
            }
            other => panic!("no rule fills {other} in {name}"),
        }
    };
    uniform(name, shape.iter().product()).map(|u| value(u) as f32).collect()
}

#[test]
fn the_fill_rule_is_that_of_the_reference() {
    let golden = Golden::read("fill");

    let found: Vec<f32> = uniform("sample", 16).map(|u| u as f32).collect();

    assert_eq!(found, golden.values("fill.sample"));
}
