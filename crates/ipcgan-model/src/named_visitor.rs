//! Visits the parameters of a module by their names.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// Visits floating-point parameters with their names.
pub trait NamedVisitor {
    /// Visits a parameter; `name` are the fields that lead to it, the outermost first.
    fn visit<const D: usize>(&mut self, name: &[String], parameter: &Param<Tensor<D>>);
}

/// Visits every floating-point parameter of `module`, and returns the visitor.
pub fn visit_named<V: NamedVisitor>(module: &impl Module, visitor: V) -> V {
    let mut named = Named { visitor, name: Vec::new() };
    module.visit(&mut named);
    named.visitor
}

/// Keeps track of the name.
struct Named<V> {
    visitor: V,
    name: Vec<String>,
}

impl<V: NamedVisitor> ModuleVisitor for Named<V> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.name.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.name.pop();
    }

    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        self.visitor.visit(&self.name, parameter);
    }
}
