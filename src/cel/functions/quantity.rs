//! `quantity()` and what can be done with one: Kubernetes' resource quantities.
//!
//! Kubernetes rounds every quantity up to a multiple of a billionth, so one is a whole number of
//! billionths. Where Kubernetes' `isInteger` and `asInteger` are false for some whole numbers
//! because of how it stores them (`1.5Gi`), these go by the value.

use std::cmp::Ordering;

use cel::{
    Env, ExecutionError,
    common::{
        types::{CelBool, CelDouble, CelInt, INT_TYPE, STRING_TYPE},
        value::{CowVal, Val},
    },
};
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive, Zero};

use super::{Library, argument, quoted, text, type_of};

/// Digits after the decimal point that a quantity keeps.
const SCALE: i64 = 9;
/// Longest text that is read as a quantity. Kubernetes writes some twenty characters.
const MAX_LENGTH: usize = 256;
/// Largest power of ten in an exponent. Kubernetes has no limit and hangs.
const MAX_EXPONENT: i64 = 512;

pub(super) const LIBRARY: Library = Library {
    register: |env: &mut Env| {
        let quantity = type_of::<Quantity>;
        env.add_overload(
            "quantity",
            "string_to_quantity",
            vec![STRING_TYPE],
            |args| text(&args, 0).and_then(Quantity::parse).map(CowVal::owned),
        )?;
        env.add_overload(
            "isQuantity",
            "is_quantity_string",
            vec![STRING_TYPE],
            |args| {
                let valid = text(&args, 0).map(Quantity::parse)?.is_ok();
                Ok(CowVal::owned(CelBool::from(valid)))
            },
        )?;
        env.add_member_overload("sign", "quantity_sign", quantity(), vec![], |args| {
            let sign = argument::<Quantity>(&args, 0)?.cmp(&Quantity::default());
            Ok(CowVal::owned(CelInt::from(sign as i64)))
        })?;
        env.add_member_overload(
            "isInteger",
            "quantity_is_integer",
            quantity(),
            vec![],
            |args| {
                let whole = argument::<Quantity>(&args, 0)?.as_integer().is_some();
                Ok(CowVal::owned(CelBool::from(whole)))
            },
        )?;
        env.add_member_overload(
            "asInteger",
            "quantity_get_int",
            quantity(),
            vec![],
            |args| match argument::<Quantity>(&args, 0)?.as_integer() {
                Some(number) => Ok(CowVal::owned(CelInt::from(number))),
                None => Err(ExecutionError::function_error(
                    "asInteger",
                    "cannot convert value to integer",
                )),
            },
        )?;
        env.add_member_overload(
            "asApproximateFloat",
            "quantity_get_float",
            quantity(),
            vec![],
            |args| {
                let number = argument::<Quantity>(&args, 0)?.as_float();
                Ok(CowVal::owned(CelDouble::from(number)))
            },
        )?;
        for (name, operand) in [("quantity", quantity()), ("int", INT_TYPE)] {
            let id = |function: &str| format!("quantity_{function}_{name}");
            let operand = || vec![operand.to_owned()];
            env.add_member_overload("add", &id("add"), quantity(), operand(), |args| {
                let sum = &argument::<Quantity>(&args, 0)?.0 + operand_of(&args)?.0;
                Ok(CowVal::owned(Quantity(sum)))
            })?;
            env.add_member_overload("sub", &id("sub"), quantity(), operand(), |args| {
                let difference = &argument::<Quantity>(&args, 0)?.0 - operand_of(&args)?.0;
                Ok(CowVal::owned(Quantity(difference)))
            })?;
        }
        env.add_member_overload(
            "compareTo",
            "quantity_compare_to",
            quantity(),
            vec![quantity()],
            |args| Ok(CowVal::owned(CelInt::from(order(&args)? as i64))),
        )?;
        env.add_member_overload(
            "isLessThan",
            "quantity_is_less_than",
            quantity(),
            vec![quantity()],
            |args| Ok(CowVal::owned(CelBool::from(order(&args)?.is_lt()))),
        )?;
        env.add_member_overload(
            "isGreaterThan",
            "quantity_is_greater_than",
            quantity(),
            vec![quantity()],
            |args| Ok(CowVal::owned(CelBool::from(order(&args)?.is_gt()))),
        )
    },
    globals: &["isQuantity", "quantity"],
    members: &[
        "add",
        "asApproximateFloat",
        "asInteger",
        "compareTo",
        "isGreaterThan",
        "isInteger",
        "isLessThan",
        "sign",
        "sub",
    ],
};

/// A resource quantity: a number of billionths.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Quantity(BigInt);

opaque_value!(Quantity, "kubernetes.Quantity");

/// How two resource quantities compare, where both are.
pub fn compare_quantities(one: &str, other: &str) -> Option<Ordering> {
    Some(Quantity::read(one)?.cmp(&Quantity::read(other)?))
}

/// What a suffix multiplies by.
enum Unit {
    Ten(i64),
    Two(u32),
}

impl Quantity {
    /// Parses `<sign><digits>.<digits><suffix>`, where the suffix is one of `n u m k M G T P E`,
    /// `Ki Mi Gi Ti Pi Ei`, or `e` and a power of ten.
    pub(super) fn parse(text: &str) -> Result<Quantity, ExecutionError> {
        Quantity::read(text).ok_or_else(|| {
            let problem = format!("{} is not a quantity", quoted(text));
            ExecutionError::function_error("quantity", problem)
        })
    }

    fn read(text: &str) -> Option<Quantity> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, rest) = unsigned.split_at(digits(unsigned));
        let (fraction, suffix) = match rest.strip_prefix('.') {
            Some(rest) => rest.split_at(digits(rest)),
            None => ("", rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let number: BigInt = format!("{whole}{fraction}").parse().ok()?;
        let places = i64::try_from(fraction.len()).ok()?;
        let mut billionths = match unit(suffix)? {
            Unit::Ten(exponent) => scale(number, exponent.checked_sub(places)?)?,
            Unit::Two(exponent) => {
                // Kubernetes caps binary quantities, and only those.
                let most = BigInt::from(i64::MAX) * 10_u32.pow(SCALE as u32);
                scale(number << exponent, -places)?.min(most)
            }
        };
        if negative {
            billionths = -billionths;
        }
        Some(Quantity(billionths))
    }

    fn as_integer(&self) -> Option<i64> {
        let whole = BigRational::new(self.0.clone(), BigInt::from(10_i64.pow(SCALE as u32)));
        whole.is_integer().then(|| whole.numer().to_i64())?
    }

    fn as_float(&self) -> f64 {
        let exact = BigRational::new(self.0.clone(), BigInt::from(10_i64.pow(SCALE as u32)));
        exact.to_f64().unwrap_or(if self.0.is_negative() {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        })
    }

    /// A whole number.
    pub(super) fn whole(number: i64) -> Quantity {
        Quantity(BigInt::from(number) * 10_i64.pow(SCALE as u32))
    }

    /// What a field of an object says: a string, or a bare number as YAML allows.
    pub(super) fn from_value(value: &dyn Val) -> Result<Quantity, ExecutionError> {
        use cel::common::types::CelString;
        if let Some(text) = value.downcast_ref::<CelString>() {
            Quantity::parse(text.inner())
        } else if let Some(number) = value.downcast_ref::<CelInt>() {
            Ok(Quantity::whole(*number.inner()))
        } else if let Some(number) = value.downcast_ref::<CelDouble>() {
            Quantity::parse(&number.inner().to_string())
        } else if let Some(quantity) = value.downcast_ref::<Quantity>() {
            Ok(quantity.clone())
        } else {
            let problem = format!("a {} is not a quantity", value.get_type().name());
            Err(ExecutionError::function_error("quantity", problem))
        }
    }
}

impl std::ops::AddAssign<&Quantity> for Quantity {
    fn add_assign(&mut self, other: &Quantity) {
        self.0 += &other.0;
    }
}

fn unit(suffix: &str) -> Option<Unit> {
    Some(match suffix {
        "n" => Unit::Ten(-9),
        "u" => Unit::Ten(-6),
        "m" => Unit::Ten(-3),
        "" => Unit::Ten(0),
        "k" => Unit::Ten(3),
        "M" => Unit::Ten(6),
        "G" => Unit::Ten(9),
        "T" => Unit::Ten(12),
        "P" => Unit::Ten(15),
        "E" => Unit::Ten(18),
        "Ki" => Unit::Two(10),
        "Mi" => Unit::Two(20),
        "Gi" => Unit::Two(30),
        "Ti" => Unit::Two(40),
        "Pi" => Unit::Two(50),
        "Ei" => Unit::Two(60),
        _ => Unit::Ten(suffix.strip_prefix(['e', 'E'])?.parse().ok()?),
    })
}

/// `number × 10^exponent` in billionths, rounded up: who asks for a little gets a little.
fn scale(number: BigInt, exponent: i64) -> Option<BigInt> {
    if number.is_zero() {
        return Some(number);
    }
    let exponent = exponent.checked_add(SCALE)?;
    if exponent > MAX_EXPONENT {
        return None;
    }
    // A power of ten with more digits than the number leaves less than a billionth of it.
    let power = exponent.unsigned_abs().min(MAX_EXPONENT as u64) as u32;
    let power = BigInt::from(10).pow(power);
    Some(if exponent >= 0 {
        number * power
    } else {
        (number + &power - 1) / power
    })
}

fn operand_of(args: &[CowVal<'_, '_>]) -> Result<Quantity, ExecutionError> {
    match argument::<CelInt>(args, 1) {
        Ok(number) => Ok(Quantity::whole(*number.inner())),
        Err(_) => argument::<Quantity>(args, 1).cloned(),
    }
}

fn order(args: &[CowVal<'_, '_>]) -> Result<Ordering, ExecutionError> {
    Ok(argument::<Quantity>(args, 0)?.cmp(argument::<Quantity>(args, 1)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::tests::*, *};

    #[test]
    fn answers_as_kubernetes_documents() {
        all_true(&[
            "isQuantity('1.3G') && isQuantity('1.3Gi') && isQuantity('10000k')",
            "!isQuantity('1,3G') && !isQuantity('200K') && !isQuantity('Three')",
            "!isQuantity('Mi') && !isQuantity('10Mo') && !isQuantity('10Mm')",
            "quantity('50000000G').isInteger() && quantity('50k').isInteger()",
            "!quantity('9999999999999999999999999999999999999G').isInteger()",
            "quantity('50k').asInteger() == 50000",
            "quantity('50k').sub(20000).asApproximateFloat() == 30000.0",
            "quantity('50k').add(quantity('20k')) == quantity('70k')",
            "quantity('50k').add(20) == quantity('50020')",
            "quantity('50k').sub(quantity('20k')) == quantity('30k')",
            "quantity('50k').add(20).sub(quantity('100k')).sub(-50000) == quantity('20')",
            "quantity('200M').compareTo(quantity('0.2G')) == 0",
            "quantity('50M').compareTo(quantity('50Mi')) == -1",
            "quantity('50Mi').compareTo(quantity('50M')) == 1",
            "quantity('150Mi').isGreaterThan(quantity('100Mi'))",
            "quantity('50M').isLessThan(quantity('100M'))",
            "quantity('200M') != quantity('0.3G')",
            "quantity('50.703k').asApproximateFloat() == 50703.0",
            "quantity('-1').sign() == -1 && quantity('0').sign() == 0 && quantity('1n').sign() == 1",
            // Exponents, and the sign of what is too small to be kept.
            "quantity('1e3') == quantity('1k') && quantity('1E+3') == quantity('1k')",
            "quantity('1E') == quantity('1e18') && quantity('1Ei').isGreaterThan(quantity('1E'))",
            "quantity('1e-1000') == quantity('1n') && quantity('-0.1n') == quantity('-1n')",
            "quantity('0e999') == quantity('0') && quantity('.5') == quantity('500m')",
            "quantity('8Ei') == quantity('9223372036854775807')",
            "quantity('1.5Gi').asInteger() == 1610612736",
        ]);
        for source in [
            "quantity('9999999999999999999999999999999999999G').asInteger()",
            "quantity('1e2147483647')",
            "quantity('1e9223372036854775807')",
            "quantity('0.1').asInteger()",
        ] {
            fails(source);
        }
        for text in [
            "", "+", ".", "1.1.M", "1+1.0M", "0.1mi", ".5i", "1i", "-3.01e-", " 1", "1 ", "1e",
            "e3", "1e1.5", "１",
        ] {
            assert_eq!(Quantity::read(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn order_and_sums_are_those_of_the_numbers(
            a in any::<i32>(), b in any::<i32>(), x in 0..7_usize, y in 0..7_usize,
        ) {
            let units = [
                ("n", 1, 1_000_000_000_i64), ("m", 1, 1000), ("", 1, 1), ("k", 1000, 1),
                ("Ki", 1024, 1), ("M", 1_000_000, 1), ("Gi", 1 << 30, 1),
            ];
            let exact = |number: i32, (_, times, by): (&str, i64, i64)| {
                BigRational::new(BigInt::from(number) * times, BigInt::from(by))
            };
            let parsed = |number: i32, (suffix, _, _): (&str, i64, i64)| {
                Quantity::read(&format!("{number}{suffix}")).unwrap()
            };
            let (left, right) = (parsed(a, units[x]), parsed(b, units[y]));
            let (l, r) = (exact(a, units[x]), exact(b, units[y]));
            prop_assert_eq!(left.cmp(&right), l.cmp(&r));
            let mut sum = left;
            sum += &right;
            let billion = BigRational::from_integer(BigInt::from(1_000_000_000));
            prop_assert_eq!(BigRational::from_integer(sum.0), (l + r) * billion);
        }

        #[test]
        fn no_text_panics(text in "[-+]?[0-9.]{0,9}[eEinumkKMGTP]{0,3}[-+]?[0-9]{0,20}") {
            let _ = Quantity::read(&text);
        }
    }
}
