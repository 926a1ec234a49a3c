//! Selection of tensor cores: for which convolutions, and in which tiles of the implicit GEMM.
//!
//! The table of tiles is constant, and has not been tuned on a GPU. At the first use on a device, the kernels of all tiles are
//! compared with the kernel in float32.

use std::sync::{Mutex, PoisonError};

use burn::tensor::{DType, Shape, bf16, f16};
use burn_cubecl::CubeDevice;
use burn_cubecl::tensor::CubeTensor;
use cubecl::client::Client;
use cubecl::dry_run::RealRun;
use cubecl::features::MmaConfig;
use cubecl::ir::{ElemType, FloatKind};
use cubecl::prelude::*;
use ipcgan_kernels::ConvParams;

use super::tensor_core_kernel::{FactorLayout, SIDE, WARP, WarpTile, tensor_core_kernel};
use super::terms::KernelKind;
use super::{Arguments, Channels, Direction, Epilogue, Product, ProductTile, THREADS};
use crate::operation::Precision;
use crate::operation::gpu::capture::{Phase, phase};

/// Minimum number of input and output channels of a group for which the fragments are not mostly empty.
const MIN_CHANNELS: usize = 8;

/// Tiles of 128 positions and 16, 32 and 64 output channels, and a small one of 64 positions and 32 channels.
const TILES: [WarpTile; 4] = [
    WarpTile { row_warps: 8, row_fragments: 1, column_fragments: 1 },
    WarpTile { row_warps: 4, row_fragments: 2, column_fragments: 1 },
    WarpTile { row_warps: 4, row_fragments: 2, column_fragments: 2 },
    WarpTile { row_warps: 4, row_fragments: 1, column_fragments: 1 },
];

/// The tile for `outputs` output channels at `positions`: the largest that leaves a workgroup for each multiprocessor.
pub(super) fn tile_of(outputs: usize, positions: usize, multiprocessors: usize) -> WarpTile {
    let [narrow, medium, wide, small] = TILES;
    let large = match outputs {
        0..=16 => return narrow,
        17..=32 => medium,
        _ => wide,
    };
    let workgroups = positions.div_ceil(large.rows()) * outputs.div_ceil(large.columns());
    if workgroups < multiprocessors { small } else { large }
}

/// Whether tensor cores of `device` compute a product of float32 tensors in `precision`.
pub(in crate::operation) fn computes(
    device: &CubeDevice,
    precision: Precision,
    direction: Direction,
    channels: Channels,
) -> bool {
    precision != Precision::Float32
        && channels.outputs.min(channels.inputs) >= MIN_CHANNELS
        && has_tensor_cores(&device.client(), precision)
        && is_correct(device, precision, direction)
}

/// The type of the factors in `precision`, and how tensor cores take them.
///
/// # Panics
/// In float32, which they do not multiply.
fn factors(precision: Precision) -> (FloatKind, FactorLayout) {
    // Sixteen bytes more than the terms.
    let of_16_bits = FactorLayout { depth: 16, pitch: 24 };
    match precision {
        Precision::Float32 => unreachable!("tensor cores do not multiply float32"),
        Precision::Tf32 => (FloatKind::TF32, FactorLayout { depth: 8, pitch: 20 }),
        Precision::Float16 => (FloatKind::F16, of_16_bits),
        Precision::Bfloat16 => (FloatKind::BF16, of_16_bits),
    }
}

/// Whether a device has tensor cores that multiply fragments in `precision` and add in float32.
fn has_tensor_cores(client: &Client, precision: Precision) -> bool {
    let (factor, layout) = factors(precision);
    let factor = ElemType::Float(factor);
    let (side, hardware) = (SIDE as u32, &client.properties().hardware);
    let config = MmaConfig {
        a_type: factor,
        b_type: factor,
        cd_type: ElemType::Float(FloatKind::F32),
        m: side,
        n: side,
        k: layout.depth as u32,
    };
    let warp = WARP as u32;
    let has_warps = hardware.plane_size_min == warp && hardware.plane_size_max == warp;
    has_warps && client.features().matmul.cmma.contains(&config)
}

/// A launch in `precision`.
pub(super) fn launch(
    client: &Client,
    count: CubeCount,
    arguments: Arguments,
    precision: Precision,
    kind: KernelKind,
    tile: WarpTile,
) {
    let (_, layout) = factors(precision);
    match precision {
        Precision::Float32 => unreachable!("tensor cores do not multiply float32"),
        Precision::Tf32 => launch_with::<tf32>(client, count, arguments, kind, tile, layout),
        Precision::Float16 => launch_with::<f16>(client, count, arguments, kind, tile, layout),
        Precision::Bfloat16 => launch_with::<bf16>(client, count, arguments, kind, tile, layout),
    }
}

/// With factors of type `E`.
fn launch_with<E: Float>(
    client: &Client,
    count: CubeCount,
    arguments: Arguments,
    kind: KernelKind,
    tile: WarpTile,
    layout: FactorLayout,
) {
    let Arguments { buffers: [x, weight, bias, output], weights, window, slope } = arguments;
    let dim = CubeDim::new_1d(THREADS as u32);
    tensor_core_kernel::launch::<E>(
        client, count, dim, x, weight, bias, output, weights, window, slope, kind, tile, layout,
    );
}

/// Whether tensor cores of `device` compute products of the `direction` correctly. This is a property of the device and its
/// driver, so it is determined once for the whole process, at first use.
fn is_correct(device: &CubeDevice, precision: Precision, direction: Direction) -> bool {
    type Checked = (CubeDevice, Precision, Direction, bool);
    static CHECKED: Mutex<Vec<Checked>> = Mutex::new(Vec::new());
    let mut checked = CHECKED.lock().unwrap_or_else(PoisonError::into_inner);
    let known = checked
        .iter()
        .find(|(of, format, of_direction, _)| of == device && *format == precision && *of_direction == direction);
    if let Some((.., is_correct)) = known {
        return *is_correct;
    }
    // Nothing can be read while launches are recorded.
    if phase() == Phase::Record {
        return false;
    }
    let result = check(device, precision, direction);
    if let Err(fault) = &result {
        log::warn!("{precision} convolutions do not use the tensor-core kernels of ipcgan: {fault}");
    }
    checked.push((device.clone(), precision, direction, result.is_ok()));
    result.is_ok()
}

/// Compares the kernels of all tiles with the kernel in float32. All formats represent the factors, and float32 the sums,
/// without rounding, so the outputs are equal.
///
/// # Errors
/// What is wrong.
fn check(device: &CubeDevice, precision: Precision, direction: Direction) -> Result<(), String> {
    // Even if the first use is in a dry run.
    let _run = RealRun::new();
    let client = device.client();
    // Neither positions, outputs nor terms fill their tiles.
    let params = ConvParams { kernel: 3, stride: 2, pad_before: 1, pad_after: 1, groups: 1 };
    let (batch, inputs, outputs, side) = (3, 20, 40, 13);
    let output_side = params.output_side(side);
    let weight = multiples_of_a_sixteenth(&client, device, [outputs, inputs, params.kernel, params.kernel]);
    let channels = Channels::forward(&weight, params.groups);
    let (x, channels, side) = match direction {
        Direction::Forward => ([batch, inputs, side, side], channels, output_side),
        Direction::Adjoint => {
            ([batch, outputs, output_side, output_side], Channels::adjoint(&weight, params.groups), side)
        }
    };
    let x = multiples_of_a_sixteenth(&client, device, x);
    let bias = (direction == Direction::Forward).then(|| multiples_of_a_sixteenth(&client, device, [outputs]));
    let outputs_in = |precision, tile: Option<WarpTile>| {
        let product = Product { direction, channels, sides: [side; 2], precision };
        let tile = tile.map_or_else(|| product.tile(&x, &params), ProductTile::Warps);
        let epilogue = Epilogue { bias: bias.clone(), slope: Some(0.5) };
        let found = super::launch(&x, &weight, &params, &product, epilogue, tile);
        client.read_one(found.handle).map_err(|error| error.to_string())
    };
    let expected = outputs_in(Precision::Float32, None)?;
    for tile in TILES {
        if f32::from_bytes(&outputs_in(precision, Some(tile))?) != f32::from_bytes(&expected) {
            return Err(format!("wrong results in tiles of {} x {}", tile.rows(), tile.columns()));
        }
    }
    Ok(())
}

/// A tensor of pseudo-random multiples of 1/16 in [-1, 1), which have five significant bits.
fn multiples_of_a_sixteenth<const D: usize>(client: &Client, device: &CubeDevice, shape: [usize; D]) -> CubeTensor {
    let shape = Shape::new(shape);
    let value = |index: usize| (((index as u32).wrapping_mul(2_654_435_761) >> 27) as f32 - 16.0) / 16.0;
    let values: Vec<f32> = (0..shape.num_elements()).map(value).collect();
    // Not as a constant of a captured step, which has none of its own here.
    let handle = client.create_from_slice(f32::as_bytes(&values));
    CubeTensor::new_contiguous(client.clone(), device.clone(), shape, handle, DType::F32)
}

#[cfg(test)]
mod tests {
    use burn::backend::Cube;
    use burn::tensor::{Device, Tensor};

    use super::super::tensor_core_kernel::DEPTH;
    use super::super::{convolve, convolve_adjoint};
    use super::*;
    use crate::operation::gpu::tests::test_gpu;
    use crate::operation::gpu::{cube_device, multiplies_in_tf32};
    use crate::random_tensors::RandomTensors;
    use crate::relative_error::normwise_error;

    const REDUCED: [Precision; 3] = [Precision::Tf32, Precision::Float16, Precision::Bfloat16];
    const CHANNELS: Channels = Channels { outputs: 40, inputs: 24 };

    #[test]
    fn all_warps_have_a_part_of_each_tile_and_threads_load_whole_rows() {
        for tile in TILES {
            let fragments = tile.row_fragments * tile.column_fragments * THREADS / WARP;
            assert_eq!(fragments * SIDE * SIDE, tile.rows() * tile.columns(), "{tile:?}");
            assert_eq!([tile.rows(), tile.columns()].map(|side| side % (THREADS / DEPTH)), [0; 2], "{tile:?}");
        }
    }

    #[test]
    fn shared_memory_of_each_tile_fits_and_its_rows_have_the_alignment_of_fragments() {
        for (precision, bytes) in [(Precision::Tf32, 4), (Precision::Float16, 2), (Precision::Bfloat16, 2)] {
            let (_, layout) = factors(precision);
            assert_eq!(DEPTH % layout.depth, 0, "{precision}");
            assert_eq!([layout.pitch * bytes % 16, layout.depth * bytes % 32], [0; 2], "{precision}");
            for tile in TILES {
                let factors = (tile.rows() + tile.columns()) * layout.pitch * bytes;
                let sums = THREADS / WARP * SIDE * SIDE * size_of::<f32>();
                assert!(factors + sums <= 32 << 10, "{precision}, {tile:?}");
            }
        }
    }

    #[test]
    fn small_products_take_small_tiles() {
        assert_eq!(tile_of(64, 1 << 20, 132), TILES[2]);
        assert_eq!(tile_of(64, 1 << 10, 132), TILES[3]);
        assert_eq!(tile_of(24, 1 << 20, 132), TILES[1]);
        assert_eq!(tile_of(16, 1 << 10, 132), TILES[0]);
    }

    #[test]
    fn products_in_float32_or_with_few_channels_are_computed_otherwise() {
        let Some(gpu) = test_gpu() else { return };
        let device = cube_device(&gpu).unwrap();
        for direction in [Direction::Forward, Direction::Adjoint] {
            assert!(!computes(device, Precision::Float32, direction, CHANNELS));
            for precision in REDUCED {
                assert!(!computes(device, precision, direction, Channels { inputs: 3, ..CHANNELS }), "{precision}");
                assert!(!computes(device, precision, direction, Channels { outputs: 3, ..CHANNELS }), "{precision}");
            }
        }
    }

    /// `convolve` or its adjoint in `precision`.
    fn product(gpu: &Device, direction: Direction, precision: Precision) -> Tensor<4> {
        let params = ConvParams { kernel: 4, stride: 2, pad_before: 1, pad_after: 1, groups: 2 };
        let mut random = RandomTensors::new(0);
        let mut on_gpu = |shape: [usize; 4]| {
            let maps = random.uniform(shape, -1.0..1.0).to_device(gpu);
            maps.try_into_primitive::<Cube>().unwrap()
        };
        let (x, y, weight) = (on_gpu([2, 48, 18, 18]), on_gpu([2, 80, 9, 9]), on_gpu([80, 24, 4, 4]));
        Tensor::from_primitive::<Cube>(match direction {
            Direction::Forward => convolve(&x, &weight, &params, Epilogue::default(), precision),
            Direction::Adjoint => convolve_adjoint(&y, &weight, &params, [18; 2], precision),
        })
    }

    /// Without tensor cores there is nothing to compare, and they must not be selected.
    #[test]
    fn products_of_tensor_cores_equal_those_in_float32_up_to_the_rounding_of_factors() {
        let Some(gpu) = test_gpu() else { return };
        let device = cube_device(&gpu).unwrap();
        assert!(multiplies_in_tf32(&gpu) || !has_tensor_cores(&device.client(), Precision::Tf32));
        for precision in REDUCED {
            for direction in [Direction::Forward, Direction::Adjoint] {
                let expects_use = has_tensor_cores(&device.client(), precision);
                assert_eq!(computes(device, precision, direction, CHANNELS), expects_use, "{precision}");
                if !expects_use {
                    continue;
                }

                let expected = product(&gpu, direction, Precision::Float32);
                let error = normwise_error(product(&gpu, direction, precision), expected);

                // Factors have 11 or 8 significant bits.
                let rounding: f32 = if precision == Precision::Bfloat16 { 1.0 / 256.0 } else { 1.0 / 2048.0 };
                assert!(error > 0.0 && error < 2.0 * rounding, "{precision}, {direction:?}: {error}");
            }
        }
    }
}
