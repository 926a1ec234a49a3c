//! Frame rates, and the constant rate at which a clip is aged.

use std::fmt;
use std::str::FromStr;

/// Maximum rate of results in frames per second; a container that states more gives the ticks of its clock.
const MAX_RATE: f64 = 240.0;
/// Rate if nothing in the clip says one: that of a single frame.
const DEFAULT_RATE: Rate = Rate { frames: 25, seconds: 1 };
/// Relative difference of rates that count as equal.
const TOLERANCE: f64 = 0.01;
/// Share of the intervals of a clip with a constant frame rate that may deviate (a frame lost in a recording).
const MAX_IRREGULAR: f64 = 0.01;
/// Maximum number of frames at a constant rate for each frame of the clip: more are a jump of its clock.
const MAX_REPEATED: usize = 20;
/// Denominator of a rate that no standard has.
const FRACTION: u32 = 1000;
/// The rates of cinema, television and telephones.
const STANDARD_RATES: [(u32, u32); 14] = [
    (10, 1),
    (12, 1),
    (15, 1),
    (24_000, 1001),
    (24, 1),
    (25, 1),
    (30_000, 1001),
    (30, 1),
    (48, 1),
    (50, 1),
    (60_000, 1001),
    (60, 1),
    (100, 1),
    (120, 1),
];

/// A frame rate as a fraction, such as 30000/1001.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    frames: u32,
    seconds: u32,
}

impl Rate {
    /// Frames per second.
    pub(super) fn per_second(self) -> f64 {
        f64::from(self.frames) / f64::from(self.seconds)
    }

    fn is_standard(self) -> bool {
        STANDARD_RATES.contains(&(self.frames, self.seconds))
    }

    /// The standard rate nearest to `per_second`, or a fraction near it; at most [`MAX_RATE`].
    fn near(per_second: f64) -> Option<Self> {
        if per_second.is_nan() || per_second <= 0.0 {
            return None;
        }
        let per_second = per_second.min(MAX_RATE);
        let standard = STANDARD_RATES.map(|(frames, seconds)| Self { frames, seconds });
        let distance = |rate: &Self| (rate.per_second() / per_second - 1.0).abs();
        let nearest = standard.into_iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
        nearest.filter(|rate| distance(rate) < TOLERANCE).or_else(|| {
            let frames = (per_second * f64::from(FRACTION)).round().max(1.0) as u32;
            Some(Self { frames, seconds: FRACTION })
        })
    }
}

impl FromStr for Rate {
    type Err = ();

    /// Parses a rate of ffprobe: `30000/1001`; `0/0` is none.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (frames, seconds) = text.split_once('/').ok_or(())?;
        let rate = Self { frames: frames.parse().map_err(drop)?, seconds: seconds.parse().map_err(drop)? };
        (rate.frames > 0 && rate.seconds > 0 && rate.per_second() <= MAX_RATE).then_some(rate).ok_or(())
    }
}

/// As an argument of ffmpeg.
impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.frames, self.seconds)
    }
}

/// The frame rate of a clip before it is decoded at a constant one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnRate {
    Constant,
    Variable,
    /// Constant, but higher than that of results.
    TooHigh,
}

/// When the frames of a clip are shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Timing {
    /// The constant rate at which the clip is decoded.
    pub(super) rate: Rate,
    /// The clip's own frame rate.
    pub(super) own_rate: OwnRate,
    /// Estimated number of frames at that rate.
    pub(super) frames: usize,
}

impl Timing {
    /// Timing of frames shown at `times` (seconds, in any order; possibly unknown), whose container states the
    /// rates `base` (the lowest that represents all times) and `average`.
    pub(super) fn of(mut times: Vec<f64>, packets: usize, base: Option<Rate>, average: Option<Rate>) -> Self {
        times.sort_by(f64::total_cmp);
        let mut intervals: Vec<f64> =
            times.windows(2).map(|pair| pair[1] - pair[0]).filter(|step| *step > 0.0).collect();
        intervals.sort_by(f64::total_cmp);
        let usual = usual_interval(&intervals);
        let measured = usual.and_then(|usual| Rate::near(1.0 / usual));
        let agrees = |rate: &Rate| usual.is_none_or(|usual| (rate.per_second() * usual - 1.0).abs() < 0.1);
        // Containers with a coarse clock state 289/12 for 24/1.
        let mut stated: Vec<Rate> = [base, average].into_iter().flatten().filter(agrees).collect();
        stated.sort_by_key(|rate| !rate.is_standard());
        let rate = stated.first().copied().or(measured).or(average).unwrap_or(DEFAULT_RATE);
        let is_regular = |step: &&f64| (**step * rate.per_second() - 1.0).abs() < 0.5;
        let irregular = intervals.iter().filter(|step| !is_regular(step)).count();
        let seconds = times.last().zip(times.first()).map(|(last, first)| last - first);
        let spanned = seconds.map(|seconds| (seconds * rate.per_second()).round() as usize + 1);
        Self {
            rate,
            own_rate: match () {
                () if usual.is_some_and(|usual| usual * MAX_RATE < 1.0 - TOLERANCE) => OwnRate::TooHigh,
                () if irregular as f64 > MAX_IRREGULAR * intervals.len() as f64 => OwnRate::Variable,
                () => OwnRate::Constant,
            },
            frames: spanned.unwrap_or(packets).max(1),
        }
    }

    /// Whether the clock of a clip of `packets` frames jumps, so that almost all frames would be repeated ones.
    pub(super) fn jumps(&self, packets: usize) -> bool {
        self.frames > MAX_REPEATED * packets.max(MAX_REPEATED)
    }

    /// Seconds that `frames` frames take.
    pub(super) fn seconds(&self, frames: usize) -> f64 {
        frames as f64 / self.rate.per_second()
    }
}

/// The mean of the `sorted` intervals near their median: single ones are rounded to the clock of the container.
fn usual_interval(sorted: &[f64]) -> Option<f64> {
    let median = *sorted.get(sorted.len() / 2)?;
    let near: Vec<f64> = sorted.iter().copied().filter(|step| (step / median - 1.0).abs() < 0.5).collect();
    Some(near.iter().sum::<f64>() / near.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(times: Vec<f64>, base: &str, average: &str) -> Timing {
        let packets = times.len();
        Timing::of(times, packets, base.parse().ok(), average.parse().ok())
    }

    #[test]
    fn a_rate_without_a_value_is_none() {
        for text in ["0/0", "30/0", "0/1", "30", "", "1000/1", "-1/2", "1k/1"] {
            assert_eq!(text.parse::<Rate>(), Err(()), "{text}");
        }
        assert_eq!("30000/1001".parse::<Rate>().unwrap().to_string(), "30000/1001");
    }

    #[test]
    fn a_constant_frame_rate_is_kept_exactly_even_with_rounded_times_out_of_order() {
        let mut times: Vec<f64> = (0..90).map(|frame| (f64::from(frame) * 1001.0 / 30.0).round() / 1000.0).collect();
        times.swap(3, 5);

        let timing = timing(times, "30000/1001", "30000/1001");

        assert_eq!(timing.rate.to_string(), "30000/1001");
        assert_eq!((timing.own_rate, timing.frames), (OwnRate::Constant, 90));
    }

    #[test]
    fn slow_motion_is_reduced_to_the_maximum_rate() {
        let times = (0..=480).map(|frame| f64::from(frame) / 480.0).collect();

        let timing = timing(times, "480/1", "480/1");

        assert_eq!((timing.rate.to_string().as_str(), timing.frames), ("240000/1000", 241));
        assert_eq!(timing.own_rate, OwnRate::TooHigh);
    }

    #[test]
    fn a_variable_frame_rate_becomes_the_usual_interval_for_the_whole_duration() {
        // Two seconds at 30 frames per second with a pause of one second.
        let times = (0..60).map(|frame| f64::from(frame) / 30.0 + if frame < 30 { 0.0 } else { 1.0 }).collect();

        let timing = timing(times, "30/1", "20/1");

        assert_eq!((timing.rate.to_string().as_str(), timing.frames), ("30/1", 90));
        assert_eq!(timing.own_rate, OwnRate::Variable);
    }

    #[test]
    fn a_recording_of_a_browser_that_says_no_rate_gets_a_standard_one() {
        let times = (0..50).map(|frame| (f64::from(frame) / 0.06).round() / 1000.0).collect();

        assert_eq!(timing(times, "1000/1", "0/0").rate.to_string(), "60/1");
        let rounded = || [0.0, 0.042, 0.083, 0.125].to_vec();
        assert_eq!(timing(rounded(), "289/12", "24/1").rate.to_string(), "24/1");
        assert_eq!(timing(rounded(), "289/12", "0/0").rate.to_string(), "289/12");
    }

    #[test]
    fn a_clock_that_jumps_by_hours_is_recognised_and_a_slide_show_is_not() {
        let jump =
            timing((0..50).map(|frame| f64::from(frame) / 25.0 + if frame < 40 { 0.0 } else { 9e3 }).collect(), "", "");
        let slides = timing((0..50).map(|slide| f64::from(slide) * 60.0).collect(), "", "");

        assert!(jump.jumps(50) && !slides.jumps(50));
        assert_eq!(slides.rate.to_string(), "17/1000");
    }

    #[test]
    fn without_times_the_number_of_packets_and_the_rate_of_the_container_count() {
        let timing = Timing::of(Vec::new(), 12, "15/1".parse().ok(), None);

        assert_eq!((timing.rate.to_string().as_str(), timing.frames), ("15/1", 12));
        assert_eq!(timing.seconds(30), 2.0);
        assert_eq!(Timing::of(vec![0.0], 1, None, None).rate, DEFAULT_RATE);
    }
}
