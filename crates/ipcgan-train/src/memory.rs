//! Memory requirements of a stage, and available memory.

use std::path::Path;
use std::{fmt, fs};

use ipcgan_model::is_flex;

use crate::Stage;
use crate::stage::context::StageContext;
use crate::stage::definition::Footprint;

/// Bytes of a float32.
const FLOAT: f64 = 4.0;

/// Memory requirement of a stage, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct MemoryNeed {
    /// Host memory of the process.
    pub(crate) host: f64,
    /// Memory of each device that has its own.
    pub(crate) device: f64,
}

/// Memory that the process may use, in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct MachineMemory {
    free: f64,
    total: f64,
}

/// Whether a stage fits into memory.
pub(crate) enum Fit {
    Fits,
    /// It needs more than the free memory.
    Tight(MemoryShortage),
    /// It needs more than the total memory.
    TooLarge(MemoryShortage),
}

/// A stage that needs more memory than there is.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryShortage {
    /// The stage.
    pub stage: Stage,
    /// Required gigabytes.
    pub needed: f64,
    /// Available gigabytes.
    pub available: f64,
    /// Which memory is limited.
    pub limit: MemoryLimit,
}

/// A limit of the memory of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryLimit {
    /// The free memory of this machine.
    Free,
    /// The total memory of this machine.
    Machine,
    /// The total memory of the device.
    Device,
}

impl fmt::Display for MemoryShortage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, needed, available, limit } = self;
        write!(formatter, "the {stage} stage needs about {needed:.1} GB of memory, and ")?;
        match limit {
            MemoryLimit::Free => write!(formatter, "{available:.1} GB are free")?,
            MemoryLimit::Machine => write!(formatter, "this machine has {available:.1} GB")?,
            MemoryLimit::Device => write!(formatter, "the device has {available:.1} GB")?,
        }
        write!(
            formatter,
            "; lower {stage}.batch_size, and raise {stage}.gradient_accumulation by the same factor to keep the \
             effective batch size"
        )
    }
}

/// Lower bound from the network sizes: weights, gradients, optimizer state, and for each face of a batch the
/// activations kept for the backward pass.
pub(crate) fn min_memory(context: &StageContext) -> MemoryNeed {
    let size = context.config.generator.image_size;
    let Footprint { weights, activations } = context.stage.definition().footprint(&context.config);
    let faces_at_once = context.micro_batch_size() as f64;
    let networks = FLOAT * (weights as f64 + faces_at_once * activations as f64);
    // All batches of a step are loaded before it starts: one byte per channel value, and two faces in the ageing
    // stage.
    let loaded = (2 * 3 * size * size) as f64 * context.faces_per_step() as f64;
    if is_flex(&context.device()) {
        MemoryNeed { host: networks + loaded, device: 0.0 }
    } else {
        MemoryNeed { host: loaded, device: networks }
    }
}

/// Whether `needed` fits into the available memory, as far as it is known.
pub(crate) fn fit(context: &StageContext, needed: MemoryNeed) -> Fit {
    let shortage = |needed: f64, available: f64, limit| {
        let (needed, available) = (needed / 1e9, available / 1e9);
        MemoryShortage { stage: context.stage, needed, available, limit }
    };
    if let Some(total) = context.session.device_memory
        && needed.device > total as f64
    {
        return Fit::TooLarge(shortage(needed.device, total as f64, MemoryLimit::Device));
    }
    let Some(machine) = MachineMemory::of_this_machine() else { return Fit::Fits };
    // The requirement includes the process's resident memory, which is not free any more.
    let free = machine.free + resident_bytes();
    if needed.host > machine.total {
        Fit::TooLarge(shortage(needed.host, machine.total, MemoryLimit::Machine))
    } else if needed.host > free {
        Fit::Tight(shortage(needed.host, free, MemoryLimit::Free))
    } else {
        Fit::Fits
    }
}

/// Resident memory of the process; zero if the system does not report it.
pub(crate) fn resident_bytes() -> f64 {
    memory_stats::memory_stats().map_or(0.0, |memory| memory.physical_mem as f64)
}

impl MachineMemory {
    /// Memory that the system reports, limited by the control group (container) of the process; `None` on systems other
    /// than Linux, which do not report it.
    fn of_this_machine() -> Option<Self> {
        let info = fs::read_to_string("/proc/meminfo").ok()?;
        let machine = Self::of_meminfo(&info)?;
        let group = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Some(machine.within_groups(Path::new("/sys/fs/cgroup"), &group))
    }

    fn of_meminfo(info: &str) -> Option<Self> {
        let kilobytes = |name: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            line.split_whitespace().next()?.parse::<f64>().ok()
        };
        let swap = |name| kilobytes(name).unwrap_or(0.0);
        Some(Self {
            free: 1024.0 * (kilobytes("MemAvailable")? + swap("SwapFree")),
            total: 1024.0 * (kilobytes("MemTotal")? + swap("SwapTotal")),
        })
    }

    /// Applies the limits of the process's control groups, whose folders are below `root`. In version 2 these are the group
    /// that `group`, the contents of `/proc/self/cgroup`, names, and its parents; in version 1 the root group, which in a
    /// container is the container's own.
    fn within_groups(mut self, root: &Path, group: &str) -> Self {
        let own = group.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
        let version_2 = Path::new(own).ancestors().map(|group| root.join(group));
        let version_1 = [root.join("memory")];
        for folder in version_2.chain(version_1) {
            let number = |name: &str| fs::read_to_string(folder.join(name)).ok()?.trim().parse::<f64>().ok();
            let Some(limit) = number("memory.max").or_else(|| number("memory.limit_in_bytes")) else { continue };
            let used = number("memory.current").or_else(|| number("memory.usage_in_bytes")).unwrap_or(0.0);
            self.total = self.total.min(limit);
            self.free = self.free.min((limit - used).max(0.0));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  600 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n";

    #[test]
    fn a_shortage_names_the_limit_and_the_settings_that_help() {
        let shortage = |limit| MemoryShortage { stage: Stage::Aging, needed: 12.34, available: 8.0, limit }.to_string();

        assert_eq!(
            shortage(MemoryLimit::Machine),
            "the aging stage needs about 12.3 GB of memory, and this machine has 8.0 GB; lower aging.batch_size, and \
             raise aging.gradient_accumulation by the same factor to keep the effective batch size"
        );
        assert!(shortage(MemoryLimit::Device).contains(" and the device has 8.0 GB; lower"));
        assert!(shortage(MemoryLimit::Free).contains(" and 8.0 GB are free; lower"));
    }

    #[test]
    fn available_memory_is_limited_by_the_control_groups_of_the_process() {
        let machine = MachineMemory::of_meminfo(INFO).unwrap();
        assert_eq!(machine, MachineMemory { free: 600.0 * 1024.0, total: 1000.0 * 1024.0 });

        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("jobs/one")).unwrap();
        fs::write(root.path().join("jobs/one/memory.max"), "max\n").unwrap();
        fs::write(root.path().join("jobs/memory.max"), "204800\n").unwrap();
        fs::write(root.path().join("jobs/memory.current"), "4800\n").unwrap();
        let limited = machine.within_groups(root.path(), "0::/jobs/one\n");

        assert_eq!(limited, MachineMemory { free: 200_000.0, total: 204_800.0 });
    }
}
