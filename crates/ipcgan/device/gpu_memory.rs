//! Memory size of a GPU from its driver on Linux, because graphics APIs do not report it.

use std::fs;
use std::path::Path;

use burn::tensor::{PciAddress, PciVendor, PhysicalDevice};
use nvml_wrapper::Nvml;

/// Sysfs folder with one entry per PCI device.
const CARDS: &str = "/sys/bus/pci/devices";

/// Memory of `card` in bytes; `None` if it is unknown, or for vendors other than NVIDIA and AMD.
pub(super) fn memory(card: &PhysicalDevice) -> Option<u64> {
    let address = card.pci_address?;
    match card.vendor? {
        PciVendor::Nvidia => by_nvml(address),
        PciVendor::Amd => by_amdgpu(Path::new(CARDS), address),
        _ => None,
    }
}

/// With NVIDIA's management library (NVML), which is loaded at run time.
fn by_nvml(address: PciAddress) -> Option<u64> {
    let nvml = Nvml::init().ok()?;
    let device = nvml.device_by_pci_bus_id(address.to_string()).ok()?;
    device.memory_info().ok().map(|memory| memory.total)
}

/// From the sysfs file of AMD's driver.
fn by_amdgpu(cards: &Path, address: PciAddress) -> Option<u64> {
    let bytes = fs::read_to_string(cards.join(address.to_string()).join("mem_info_vram_total")).ok()?;
    bytes.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: PciAddress = PciAddress { domain: 0, bus: 7, device: 0, function: 0 };

    #[test]
    fn memory_of_an_amd_card_is_read_from_its_driver() {
        let cards = tempfile::tempdir().unwrap();
        let card = cards.path().join("0000:07:00.0");
        fs::create_dir(&card).unwrap();
        fs::write(card.join("mem_info_vram_total"), "17163091968\n").unwrap();

        assert_eq!(by_amdgpu(cards.path(), ADDRESS), Some(17_163_091_968));
        assert_eq!(by_amdgpu(cards.path(), PciAddress { bus: 8, ..ADDRESS }), None);
    }

    #[test]
    fn memory_of_a_missing_card_is_unknown() {
        for vendor in [PciVendor::Nvidia, PciVendor::Amd, PciVendor::Intel] {
            let mut card = PhysicalDevice::default();
            card.vendor = Some(vendor);
            card.pci_address = Some(PciAddress { domain: 0xffff, ..ADDRESS });

            assert_eq!(memory(&card), None, "{vendor:?}");
        }
    }
}
