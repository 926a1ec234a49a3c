//! Linker arguments of Python modules: on macOS their symbols are those of the program that loads them.

fn main() {
    pyo3_build_config::add_extension_module_link_args();
}
