//! `exp`, `ln`, `sigmoid` and `tanh` over slices, within 3 ulp or 1e-7, right at infinities; NaN in gives NaN out.
//!
//! One polynomial of degree 6 after Cody and Waite's reduction `x = n ln 2 + r` serves all three: `e^r` as
//! `1 + r + r² q(r)`, with `q` fitted by Lawson's iteration to a relative error of 3.1e-9 on `|r| <= ln 2 / 2`.
//!
//! One function of one vector is a chain of some 60 cycles, longer than a processor looks ahead, so the cells compute
//! several in step (`gates`). An LSTM's arithmetic, 16 rows of 256 units on an AMD EPYC (Zen 3), a vector of units:
//! 27.1 ns one gate after another; 20.5 with the cell in one loop and the output in a second; 19.1 with one unit
//! vector's gates in step; 17.5 with two vectors' gates in step (18.0 as it is written now). One division for all gates
//! of a unit (the inverse of the product of their denominators) made it 18.9 again: its chain is longer than the
//! divisions it saves.

use super::{arch, load, store};
use pulp::Simd;

const LOG2_E: f32 = std::f32::consts::LOG2_E;
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// Adding this rounds to the nearest integer and leaves that integer in the low bits.
const ROUND: f32 = 12_582_912.0;
/// The bits of `√½`.
const SQRT_HALF: u32 = 0x3f35_04f3;
const COEFFICIENTS: [f32; 5] = [1.381_459_9e-3, 8.368_717e-3, 4.166_839e-2, 1.666_652_1e-1, 4.999_999_4e-1];

/// `x` held between `low` and `high`, NaN kept.
#[inline(always)]
fn clamp<S: Simd>(simd: S, x: S::f32s, low: f32, high: f32) -> S::f32s {
    let (low, high) = (simd.splat_f32s(low), simd.splat_f32s(high));
    // The vector minimum and maximum return their second operand where one is NaN (x86) or NaN (NEON).
    let held = simd.min_f32s(high, simd.max_f32s(low, x));
    if S::IS_SCALAR { simd.select_f32s(simd.equal_f32s(x, x), held, x) } else { held }
}

/// `(e^r - 1, 2^(n-1))` with `x = n ln 2 + r`, for `x` from -86.5 to 89, of `N` vectors in step: one alone would wait
/// for itself.
#[inline(always)]
fn reduce<S: Simd, const N: usize>(simd: S, x: [S::f32s; N]) -> ([S::f32s; N], [S::f32s; N]) {
    let round = simd.splat_f32s(ROUND);
    let shifted: [S::f32s; N] = each(
        #[inline(always)]
        |i| simd.mul_add_e_f32s(x[i], simd.splat_f32s(LOG2_E), round),
    );
    let n: [S::f32s; N] = each(
        #[inline(always)]
        |i| simd.sub_f32s(shifted[i], round),
    );
    let r: [S::f32s; N] = each(
        #[inline(always)]
        |i| simd.mul_add_e_f32s(n[i], simd.splat_f32s(-LN_2_HIGH), x[i]),
    );
    let r: [S::f32s; N] = each(
        #[inline(always)]
        |i| simd.mul_add_e_f32s(n[i], simd.splat_f32s(-LN_2_LOW), r[i]),
    );
    let mut q = [simd.splat_f32s(COEFFICIENTS[0]); N];
    for coefficient in &COEFFICIENTS[1..] {
        for i in 0..N {
            q[i] = simd.mul_add_e_f32s(q[i], r[i], simd.splat_f32s(*coefficient));
        }
    }
    let minus_one: [S::f32s; N] = each(
        #[inline(always)]
        |i| simd.mul_add_e_f32s(simd.mul_f32s(r[i], r[i]), q[i], r[i]),
    );
    let half: [S::f32s; N] = each(
        #[inline(always)]
        |i| {
            let bits = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted[i]), simd.splat_u32s(23));
            simd.transmute_f32s_u32s(simd.add_u32s(bits, simd.splat_u32s(126 << 23)))
        },
    );
    (minus_one, half)
}

/// `[f(0), f(1), ..]`. The standard library's `from_fn` and `map` would compile `f` without the instruction set;
/// so may this, unless the closure says `#[inline(always)]`.
#[inline(always)]
pub(crate) fn each<T: Copy, const N: usize>(f: impl Fn(usize) -> T) -> [T; N] {
    let mut out = [f(0); N];
    for (i, out) in out.iter_mut().enumerate().skip(1) {
        *out = f(i);
    }
    out
}

/// `e^x` of one vector; below -86.5 it gives `e^-86.5`, about 3e-38.
#[inline(always)]
pub(crate) fn exp_vector<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let ([minus_one], [half]) = reduce(simd, [clamp(simd, x, -86.5, 89.0)]);
    // 2 e^r times 2^(n-1), so that the largest results overflow to infinity and not to NaN.
    let two = simd.splat_f32s(2.0);
    simd.mul_f32s(simd.mul_add_e_f32s(minus_one, two, two), half)
}

/// `e^x` of one vector, exactly 0 below -86.5.
#[inline(always)]
pub(crate) fn exp_to_zero_vector<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let e = exp_vector(simd, x);
    simd.select_f32s(simd.less_than_f32s(x, simd.splat_f32s(-86.5)), simd.splat_f32s(0.0), e)
}

/// `ln x` of one vector of normal numbers above 0; infinity and NaN stay what they are. Within 1 ulp.
///
/// `x = 2^k (1 + f)` with `1 + f` between `√½` and `√2`, and `ln(1 + f) = f - f²/2 + s (f²/2 + R(s²))` with
/// `s = f / (2 + f)`, the coefficients of `R` from FreeBSD's `e_logf.c`.
#[inline(always)]
pub(crate) fn ln_vector<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let splat = |value: f32| simd.splat_f32s(value);
    let bits = simd.add_u32s(simd.transmute_u32s_f32s(x), simd.splat_u32s(0x3f80_0000 - SQRT_HALF));
    let exponent = simd.wrapping_dyn_shr_u32s(bits, simd.splat_u32s(23));
    // 2^23 and a whole number in its low bits, less 2^23 and the exponent's bias.
    let k = simd.transmute_f32s_u32s(simd.or_u32s(exponent, simd.splat_u32s(0x4b00_0000)));
    let k = simd.sub_f32s(k, splat(8_388_608.0 + 127.0));
    let mantissa = simd.add_u32s(simd.and_u32s(bits, simd.splat_u32s(0x007f_ffff)), simd.splat_u32s(SQRT_HALF));
    let f = simd.sub_f32s(simd.transmute_f32s_u32s(mantissa), splat(1.0));
    let s = simd.div_f32s(f, simd.add_f32s(splat(2.0), f));
    let z = simd.mul_f32s(s, s);
    let w = simd.mul_f32s(z, z);
    let even = simd.mul_f32s(w, simd.mul_add_e_f32s(w, splat(0.242_790_79), splat(0.400_009_72)));
    let odd = simd.mul_f32s(z, simd.mul_add_e_f32s(w, splat(0.284_987_87), splat(0.666_666_6)));
    let half_square = simd.mul_f32s(splat(0.5), simd.mul_f32s(f, f));
    let rest = simd.mul_f32s(s, simd.add_f32s(half_square, simd.add_f32s(odd, even)));
    let low = simd.mul_add_e_f32s(k, splat(9.058_001e-6), rest);
    let ln = simd.mul_add_e_f32s(k, splat(0.693_138_1), simd.add_f32s(f, simd.sub_f32s(low, half_square)));
    simd.select_f32s(simd.less_than_f32s(x, splat(f32::INFINITY)), ln, x)
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
    let ([minus_one], [half]) = reduce(simd, [clamp(simd, simd.add_f32s(x, x), -40.0, 40.0)]);
    tanh_end(simd, minus_one, half)
}

/// The end of [`tanh_vector`].
#[inline(always)]
fn tanh_end<S: Simd>(simd: S, minus_one: S::f32s, half: S::f32s) -> S::f32s {
    let scale = simd.add_f32s(half, half);
    let e = simd.mul_add_e_f32s(scale, minus_one, simd.sub_f32s(scale, simd.splat_f32s(1.0)));
    simd.div_f32s(e, simd.add_f32s(e, simd.splat_f32s(2.0)))
}

/// `N` vectors in step: the sigmoid of the first `SIGMOIDS`, the tanh of the others.
#[inline(always)]
pub(crate) fn gates<S: Simd, const N: usize, const SIGMOIDS: usize>(simd: S, x: [S::f32s; N]) -> [S::f32s; N] {
    let (one, two) = (simd.splat_f32s(1.0), simd.splat_f32s(2.0));
    let held: [S::f32s; N] = each(
        #[inline(always)]
        |i| {
            if i < SIGMOIDS {
                clamp(simd, simd.neg_f32s(x[i]), -86.5, 89.0)
            } else {
                clamp(simd, simd.add_f32s(x[i], x[i]), -40.0, 40.0)
            }
        },
    );
    let (minus_one, half) = reduce::<S, N>(simd, held);
    each(
        #[inline(always)]
        |i| {
            if i < SIGMOIDS {
                let e = simd.mul_f32s(simd.mul_add_e_f32s(minus_one[i], two, two), half[i]);
                simd.div_f32s(one, simd.add_f32s(one, e))
            } else {
                tanh_end(simd, minus_one[i], half[i])
            }
        },
    )
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
    exp, simd, x => exp_to_zero_vector(simd, x)
);
over_slice!(
    /// `ln x` of every value, in place. Values are normal numbers above 0, infinity or NaN.
    ln, simd, x => ln_vector(simd, x)
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
    fn the_logarithm_is_within_an_ulp_and_keeps_what_is_no_number() {
        let mut inputs: Vec<f32> = (1..2_000_000).map(|i| i as f32 * 1e-5).collect();
        inputs.extend((-126..128).flat_map(|e| [0.9, 1.0, 1.3].map(|x| x * 2f32.powi(e))).filter(|x| x.is_normal()));
        let mut found = inputs.clone();
        ln(&mut found);
        for (&x, &y) in inputs.iter().zip(&found) {
            let want = f64::from(x).ln();
            let ulp = f64::from((want as f32).abs().next_up()) - f64::from((want as f32).abs());
            assert!((f64::from(y) - want).abs() <= 1.5 * ulp, "ln({x}) = {y}, want {want}");
        }
        let mut ends = [f32::INFINITY, f32::NAN];
        ln(&mut ends);
        assert!(ends[0] == f32::INFINITY && ends[1].is_nan(), "{ends:?}");
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
