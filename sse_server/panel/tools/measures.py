"""The units that can be converted: what they measure, what they are worth, and how people spell them.

Factors are the exact ones of the International Yard and Pound agreement, of the SI brochure and of NIST SP 811
(appendix B); a calorie is the thermochemical one, and cups, spoons and gallons are those of the United States.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from msgspec import Struct


class Unit(Struct, frozen=True):
    """A value in the dimension's base unit is `value * factor + offset`."""

    name: str
    plural: str
    dimension: str
    factor: Fraction
    offset: Fraction = Fraction(0)


_KELVIN_OF_ICE: Final = "273.15"
_KELVIN_OF_0F: Final = "45967/180"

# name, plural, factor, offset or "", other spellings
_TABLE: Final[dict[str, list[tuple[str, str, str, str, str]]]] = {
    "length": [
        ("metre", "metres", "1", "", "m, meter, meters"),
        ("kilometre", "kilometres", "1000", "", "km, kms, kilometer, kilometers"),
        ("centimetre", "centimetres", "0.01", "", "cm, centimeter, centimeters"),
        ("millimetre", "millimetres", "0.001", "", "mm, millimeter, millimeters"),
        ("inch", "inches", "0.0254", "", "in"),
        ("foot", "feet", "0.3048", "", "ft"),
        ("yard", "yards", "0.9144", "", "yd, yds"),
        ("mile", "miles", "1609.344", "", "mi"),
        ("nautical mile", "nautical miles", "1852", "", "nmi"),
    ],
    "mass": [
        ("kilogram", "kilograms", "1", "", "kg, kgs, kilo, kilos, kilogramme, kilogrammes"),
        ("gram", "grams", "0.001", "", "g, gr, gramme, grammes"),
        ("milligram", "milligrams", "0.000001", "", "mg"),
        ("microgram", "micrograms", "0.000000001", "", "µg, ug, mcg"),
        ("tonne", "tonnes", "1000", "", "t, metric ton, metric tons"),
        ("pound", "pounds", "0.45359237", "", "lb, lbs"),
        ("ounce", "ounces", "0.028349523125", "", "oz"),
        ("stone", "stone", "6.35029318", "", "st, stones"),
    ],
    "volume": [
        ("litre", "litres", "1", "", "l, liter, liters"),
        ("millilitre", "millilitres", "0.001", "", "ml, milliliter, milliliters, cc"),
        ("decilitre", "decilitres", "0.1", "", "dl, deciliter, deciliters"),
        ("centilitre", "centilitres", "0.01", "", "cl, centiliter, centiliters"),
        ("cubic metre", "cubic metres", "1000", "", "m³, m3, m^3, cubic meter, cubic meters"),
        ("cup", "cups", "0.2365882365", "", ""),
        ("tablespoon", "tablespoons", "0.01478676478125", "", "tbsp, tbsps"),
        ("teaspoon", "teaspoons", "0.00492892159375", "", "tsp, tsps"),
        ("fluid ounce", "fluid ounces", "0.0295735295625", "", "fl oz, fl. oz, fl. oz., floz"),
        ("pint", "pints", "0.473176473", "", "pt, pts, us pint, us pints"),
        ("quart", "quarts", "0.946352946", "", "qt, qts"),
        ("gallon", "gallons", "3.785411784", "", "gal, us gallon, us gallons"),
        ("imperial pint", "imperial pints", "0.56826125", "", "uk pint, uk pints"),
        ("imperial gallon", "imperial gallons", "4.54609", "", "uk gallon, uk gallons"),
    ],
    "temperature": [
        ("kelvin", "kelvins", "1", "", "k"),
        ("degree Celsius", "degrees Celsius", "1", _KELVIN_OF_ICE, "c, °c, ° c, celsius, deg c, degrees c, centigrade"),
        ("degree Fahrenheit", "degrees Fahrenheit", "5/9", _KELVIN_OF_0F, "f, °f, ° f, fahrenheit, deg f, degrees f"),
    ],
    "speed": [
        ("metre per second", "metres per second", "1", "", "m/s, mps, meter per second, meters per second"),
        (
            "kilometre per hour",
            "kilometres per hour",
            "5/18",
            "",
            "km/h, kmh, kph, kmph, kilometer per hour, kilometers per hour",
        ),
        ("mile per hour", "miles per hour", "0.44704", "", "mph, mi/h"),
        ("knot", "knots", "463/900", "", "kn, kt, kts"),
        ("foot per second", "feet per second", "0.3048", "", "ft/s, fps"),
    ],
    "energy": [
        ("joule", "joules", "1", "", "j"),
        ("kilojoule", "kilojoules", "1000", "", "kj"),
        ("megajoule", "megajoules", "1000000", "", "mj"),
        ("small calorie", "small calories", "4.184", "", "cal"),
        ("kilocalorie", "kilocalories", "4184", "", "kcal, kcals, calorie, calories, food calorie, food calories"),
        ("watt hour", "watt hours", "3600", "", "wh"),
        ("kilowatt hour", "kilowatt hours", "3600000", "", "kwh"),
        ("British thermal unit", "British thermal units", "1055.05585262", "", "btu, btus"),
    ],
    "area": [
        ("square metre", "square metres", "1", "", "m², m2, m^2, sq m, sqm, square meter, square meters"),
        ("square kilometre", "square kilometres", "1000000", "", "km², km2, km^2, square kilometer, square kilometers"),
        ("square centimetre", "square centimetres", "0.0001", "", "cm², cm2, cm^2"),
        ("square foot", "square feet", "0.09290304", "", "ft², ft2, ft^2, sq ft, sqft"),
        ("square mile", "square miles", "2589988.110336", "", "sq mi, mi²"),
        ("hectare", "hectares", "10000", "", "ha"),
        ("acre", "acres", "4046.8564224", "", ""),
    ],
    "time": [
        ("second", "seconds", "1", "", "s, sec, secs"),
        ("millisecond", "milliseconds", "0.001", "", "ms"),
        ("minute", "minutes", "60", "", "min, mins"),
        ("hour", "hours", "3600", "", "h, hr, hrs"),
        ("day", "days", "86400", "", ""),
        ("week", "weeks", "604800", "", "wk, wks"),
    ],
    "pressure": [
        ("pascal", "pascals", "1", "", "pa"),
        ("hectopascal", "hectopascals", "100", "", "hpa, mbar, millibar, millibars"),
        ("kilopascal", "kilopascals", "1000", "", "kpa"),
        ("bar", "bars", "100000", "", ""),
        ("standard atmosphere", "standard atmospheres", "101325", "", "atm, atmosphere, atmospheres"),
        ("pound per square inch", "pounds per square inch", "6894.757293168", "", "psi"),
        ("millimetre of mercury", "millimetres of mercury", "133.322387415", "", "mmhg, mm hg"),
    ],
}


def _units() -> dict[str, Unit]:
    named: dict[str, Unit] = {}
    for dimension, rows in _TABLE.items():
        for name, plural, factor, offset, others in rows:
            unit = Unit(name, plural, dimension, Fraction(factor), Fraction(offset or 0))
            for spelling in (name.lower(), plural.lower(), *filter(None, others.split(", "))):
                assert named.setdefault(spelling, unit) is unit, spelling
    return named


UNITS: Final = _units()
"""Units by every spelling, in small letters."""
