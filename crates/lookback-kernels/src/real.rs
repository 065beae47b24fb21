//! The number type of the naive references.

use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// A floating-point type that a reference can be computed in: `f32`, or `f64` to check gradients by.
pub trait Real:
    Copy
    + std::fmt::Debug
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// The same number.
    fn from_f32(value: f32) -> Self;
    /// `tanh(self)`.
    fn tanh(self) -> Self;
    /// `e^self`.
    fn exp(self) -> Self;
    /// The natural logarithm.
    fn ln(self) -> Self;
    /// The logistic function `1 / (1 + e^-self)`.
    fn sigmoid(self) -> Self {
        Self::ONE / (Self::ONE + (-self).exp())
    }
}

macro_rules! real {
    ($($float:ident)*) => {$(
        impl Real for $float {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            fn from_f32(value: f32) -> Self {
                value.into()
            }
            fn tanh(self) -> Self {
                $float::tanh(self)
            }
            fn exp(self) -> Self {
                $float::exp(self)
            }
            fn ln(self) -> Self {
                $float::ln(self)
            }
        }
    )*};
}
real!(f32 f64);
