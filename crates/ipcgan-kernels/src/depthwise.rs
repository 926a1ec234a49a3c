//! Depthwise convolution: each channel with a window of its own, no sums over channels.

use pulp::{Simd, WithSimd};

use crate::epilogue::Epilogue;
use crate::lanes::load;
use crate::output::fill_in_chunks;
use crate::{Instructions, Maps, Window};

/// Whether a convolution of `outputs` and inputs of a group is depthwise.
pub(crate) fn is_depthwise([outputs, inputs]: [usize; 2], window: &Window) -> bool {
    inputs == 1 && outputs == window.groups && outputs > 1
}

/// A depthwise convolution with its weights channels last, as the maps are.
#[derive(Debug)]
pub(crate) struct Depthwise {
    instructions: Instructions,
    window: Window,
    /// `[kernel][kernel][channels]`.
    weights: Vec<f32>,
}

impl Depthwise {
    /// Convolution with `weights` `[channels][kernel][kernel]`.
    pub(crate) fn new(instructions: Instructions, weights: &[f32], window: &Window) -> Self {
        let taps = window.kernel * window.kernel;
        let channels = window.groups;
        let places = (0..taps).flat_map(|tap| (0..channels).map(move |channel| channel * taps + tap));
        Self { instructions, window: *window, weights: places.map(|place| weights[place]).collect() }
    }

    /// The output's values, for an output of `[height, width]`.
    pub(crate) fn run(
        &self,
        input: &[f32],
        maps: Maps,
        [height, width]: [usize; 2],
        epilogue: &Epilogue<'_>,
        output: &mut Vec<f32>,
    ) {
        let line = width * maps.channels;
        fill_in_chunks(output, maps.batch * height * line, line, |index, output| {
            let (picture, y) = (index / height, index % height);
            let picture = &input[picture * maps.picture()..][..maps.picture()];
            let start = index * line;
            self.instructions.run(Row { depthwise: self, picture, maps, y, start, output, epilogue });
        });
    }
}

/// A row of the output.
struct Row<'a> {
    depthwise: &'a Depthwise,
    picture: &'a [f32],
    maps: Maps,
    y: usize,
    /// Where `output` begins in the whole output.
    start: usize,
    output: &'a mut [f32],
    epilogue: &'a Epilogue<'a>,
}

/// The taps of a window that meet the input, along one axis.
#[derive(Clone, Copy)]
struct Taps {
    /// The first of them.
    first: usize,
    /// The input that the first one meets.
    place: usize,
    count: usize,
}

impl Taps {
    #[inline(always)]
    fn of(window: &Window, output: usize, side: usize) -> Self {
        let begin = output * window.stride;
        let first = window.before.saturating_sub(begin).min(window.kernel);
        let place = (begin + first).saturating_sub(window.before).min(side);
        let end = (side + window.before).saturating_sub(begin).min(window.kernel);
        Self { first, place, count: end.saturating_sub(first) }
    }
}

impl WithSimd for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { depthwise: Depthwise { window, weights, .. }, picture, maps, y, start, output, epilogue } = self;
        let Maps { height, width, channels, .. } = maps;
        let rows = Taps::of(window, y, height);
        for (x, output) in output.chunks_exact_mut(channels).enumerate() {
            let columns = Taps::of(window, x, width);
            for (index, output) in output.chunks_mut(S::F32_LANES).enumerate() {
                let (channel, count) = (index * S::F32_LANES, output.len());
                let mut sum = simd.splat_f32s(0.0);
                for row in 0..rows.count {
                    let values = ((rows.place + row) * width + columns.place) * channels + channel;
                    let taps = ((rows.first + row) * window.kernel + columns.first) * channels + channel;
                    for column in 0..columns.count {
                        let value = load(simd, &picture[values + column * channels..][..count]);
                        let weight = load(simd, &weights[taps + column * channels..][..count]);
                        sum = simd.mul_add_e_f32s(value, weight, sum);
                    }
                }
                epilogue.store(simd, &[sum], channel, output, start + x * channels + channel);
            }
        }
    }
}
