//! `exp`, `sigmoid` and `tanh` over slices, within 3 ulp or 1e-7, right at infinities; NaN in gives NaN out.
//!
//! One polynomial of degree 6 (the minimax coefficients of Cephes' `expf`) after Cody and Waite's reduction
//! `x = n ln 2 + r` serves all three.

use super::{arch, load, store};
use pulp::Simd;

const LOG2_E: f32 = std::f32::consts::LOG2_E;
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// Adding this rounds to the nearest integer and leaves that integer in the low bits.
const ROUND: f32 = 12_582_912.0;
const COEFFICIENTS: [f32; 6] =
    [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5.000_000_3e-1];

/// `x` held between `low` and `high`, NaN kept.
#[inline(always)]
fn clamp<S: Simd>(simd: S, x: S::f32s, low: f32, high: f32) -> S::f32s {
    let (low, high) = (simd.splat_f32s(low), simd.splat_f32s(high));
    // The vector minimum and maximum return their second operand where one is NaN (x86) or NaN (NEON).
    let held = simd.min_f32s(high, simd.max_f32s(low, x));
    if S::IS_SCALAR { simd.select_f32s(simd.equal_f32s(x, x), held, x) } else { held }
}

/// `(e^r - 1, 2^(n-1))` with `x = n ln 2 + r`, for `x` from -86.5 to 89.
#[inline(always)]
fn reduce<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    let shifted = simd.mul_add_e_f32s(x, simd.splat_f32s(LOG2_E), simd.splat_f32s(ROUND));
    let n = simd.sub_f32s(shifted, simd.splat_f32s(ROUND));
    let r = simd.mul_add_e_f32s(n, simd.splat_f32s(-LN_2_HIGH), x);
    let r = simd.mul_add_e_f32s(n, simd.splat_f32s(-LN_2_LOW), r);
    let mut p = simd.splat_f32s(COEFFICIENTS[0]);
    for coefficient in &COEFFICIENTS[1..] {
        p = simd.mul_add_e_f32s(p, r, simd.splat_f32s(*coefficient));
    }
    let minus_one = simd.mul_add_e_f32s(simd.mul_f32s(r, r), p, r);
    let bits = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    let half = simd.transmute_f32s_u32s(simd.add_u32s(bits, simd.splat_u32s(126 << 23)));
    (minus_one, half)
}

/// `e^x` of one vector; below -86.5 it gives `e^-86.5`, about 3e-38.
#[inline(always)]
pub(crate) fn exp_vector<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let (minus_one, half) = reduce(simd, clamp(simd, x, -86.5, 89.0));
    // 2 e^r times 2^(n-1), so that the largest results overflow to infinity and not to NaN.
    let two = simd.splat_f32s(2.0);
    simd.mul_f32s(simd.mul_add_e_f32s(minus_one, two, two), half)
}

/// `1 / (1 + e^-x)` of one vector.
#[inline(always)]
pub(crate) fn sigmoid_vector<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    let e = exp_vector(simd, simd.neg_f32s(x));
    simd.div_f32s(one, simd.add_f32s(one, e))
}

/// `tanh x` of one vector, as `(e^2x - 1) / (e^2x + 1)` with `e^2x - 1` kept exact near zero.
#[inline(always)]
pub(crate) fn tanh_vector<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let (minus_one, half) = reduce(simd, clamp(simd, simd.add_f32s(x, x), -40.0, 40.0));
    let one = simd.splat_f32s(1.0);
    let scale = simd.add_f32s(half, half);
    let e = simd.mul_add_e_f32s(scale, minus_one, simd.sub_f32s(scale, one));
    simd.div_f32s(e, simd.add_f32s(e, simd.splat_f32s(2.0)))
}

macro_rules! over_slice {
    ($(#[$doc:meta])* $name:ident, $simd:ident, $x:ident => $body:expr) => {
        $(#[$doc])*
        pub fn $name(values: &mut [f32]) {
            struct Op<'a>(&'a mut [f32]);
            impl pulp::WithSimd for Op<'_> {
                type Output = ();
                #[inline(always)]
                fn with_simd<S: Simd>(self, $simd: S) {
                    let mut chunks = self.0.chunks_exact_mut(S::F32_LANES);
                    for chunk in &mut chunks {
                        // SAFETY: the chunk has exactly one vector's values.
                        let $x = unsafe { load($simd, chunk.as_ptr()) };
                        let value = $body;
                        // SAFETY: as above.
                        unsafe { store($simd, chunk.as_mut_ptr(), value) };
                    }
                    let rest = chunks.into_remainder();
                    let $x = $simd.partial_load_f32s(rest);
                    let value = $body;
                    $simd.partial_store_f32s(rest, value);
                }
            }
            arch().dispatch(Op(values));
        }
    };
}

over_slice!(
    /// `e^x` of every value, in place. Exactly 0 below -87.3, where the result would not be a normal number.
    exp, simd, x => {
        let e = exp_vector(simd, x);
        simd.select_f32s(simd.less_than_f32s(x, simd.splat_f32s(-86.5)), simd.splat_f32s(0.0), e)
    }
);
over_slice!(
    /// `1 / (1 + e^-x)` of every value, in place.
    sigmoid, simd, x => sigmoid_vector(simd, x)
);
over_slice!(
    /// `tanh x` of every value, in place.
    tanh, simd, x => tanh_vector(simd, x)
);

#[cfg(test)]
mod tests {
    use super::*;

    type Case = (&'static str, fn(&mut [f32]), fn(f64) -> f64);
    const CASES: [Case; 3] =
        [("exp", exp, f64::exp), ("sigmoid", sigmoid, |x| 1.0 / (1.0 + (-x).exp())), ("tanh", tanh, f64::tanh)];

    #[test]
    fn within_three_ulp_or_1e_7_over_the_whole_range() {
        for (name, function, exact) in CASES {
            let inputs: Vec<f32> =
                (-1_000_000..=1_000_000).map(|i| i as f32 * 1.1e-4).chain((-126..0).map(|e| 2f32.powi(e))).collect();
            let mut found = inputs.clone();
            function(&mut found);
            for (&x, &y) in inputs.iter().zip(&found) {
                let want = exact(f64::from(x));
                let ulp = f64::from((want as f32).abs().next_up()) - f64::from((want as f32).abs());
                let error = (f64::from(y) - want).abs();
                let overflows = (want as f32).is_infinite() && y.is_infinite();
                assert!(overflows || error <= 1e-7 || error <= 3.0 * ulp, "{name}({x}) = {y}, want {want}");
            }
        }
    }

    #[test]
    fn right_at_infinities_and_nan_stays_nan() {
        let ends = [f32::NEG_INFINITY, f32::INFINITY];
        for ((name, function, _), want) in CASES.into_iter().zip([[0.0, f32::INFINITY], [0.0, 1.0], [-1.0, 1.0]]) {
            let mut found = ends;
            function(&mut found);
            assert_eq!(found, want, "{name}");
            // Long enough for whole vectors and for a remainder.
            let mut nan = [f32::NAN; 21];
            function(&mut nan);
            assert!(nan.iter().all(|v| v.is_nan()), "{name}(NaN)");
        }
    }
}
