//! Places on the Earth in payloads and filters: `{"lat": 52.5, "lon": 13.4}`, in degrees, and the areas that filters ask for.
//!
//! Distances are those of a sphere; edges of a polygon are straight lines in degrees. A point on the edge of an area is outside of it,
//! and one on the edge of a hole in the hole, as in the local mode of Qdrant's client.

use super::value::{Value, members};

/// The mean radius of the Earth in meters, as the IUGG recommends it.
const EARTH_RADIUS_METERS: f64 = 6_371_008.8;

/// A place, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GeoPoint {
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
}

/// An area.
#[derive(Debug, Clone, PartialEq)]
pub enum GeoArea {
    /// Between two meridians and two parallels; across the 180th meridian where the left is east of the right.
    Box {
        /// Its north-western corner.
        top_left: GeoPoint,
        /// Its south-eastern corner.
        bottom_right: GeoPoint,
    },
    /// Nearer to a place than a distance.
    Circle {
        /// The place.
        center: GeoPoint,
        /// The distance in meters.
        radius: f64,
    },
    /// Within a ring and within none of its holes. Rings do not repeat their first point.
    Polygon {
        /// The ring around it.
        exterior: Vec<GeoPoint>,
        /// The holes in it.
        interiors: Vec<Vec<GeoPoint>>,
    },
}

impl GeoPoint {
    /// Reads a place from a payload's value; `None` when it is no object with a finite `lat` and `lon`.
    #[must_use]
    pub fn of(value: Value<'_>) -> Option<GeoPoint> {
        let Value::Object(object) = value else { return None };
        let (mut lat, mut lon) = (None, None);
        for (key, value) in members(object) {
            let number =
                || if let Value::Number(text) = value { text.parse().ok().filter(|number: &f64| number.is_finite()) } else { None };
            if key.is("lat") {
                lat = Some(number()?);
            } else if key.is("lon") {
                lon = Some(number()?);
            }
        }
        Some(GeoPoint { lat: lat?, lon: lon? })
    }

    /// Gives the distance to another place in meters, by the haversine formula.
    #[must_use]
    pub fn distance(self, other: GeoPoint) -> f64 {
        let half_sine = |from: f64, to: f64| ((to.to_radians() - from.to_radians()) / 2.0).sin();
        let (lat, lon) = (half_sine(self.lat, other.lat), half_sine(self.lon, other.lon));
        let a = lat * lat + self.lat.to_radians().cos() * other.lat.to_radians().cos() * (lon * lon);
        // Rounding may lead beyond 1 between opposite places.
        EARTH_RADIUS_METERS * (2.0 * a.sqrt().min(1.0).asin())
    }
}

impl GeoArea {
    /// Says whether a place is inside.
    #[must_use]
    pub fn contains(&self, place: GeoPoint) -> bool {
        match self {
            GeoArea::Box { top_left, bottom_right } => {
                let (left, right) = (top_left.lon < place.lon, place.lon < bottom_right.lon);
                let between = if top_left.lon > bottom_right.lon { left || right } else { left && right };
                between && top_left.lat > place.lat && place.lat > bottom_right.lat
            }
            GeoArea::Circle { center, radius } => place.distance(*center) < *radius,
            GeoArea::Polygon { exterior, interiors } => {
                place_in(place, exterior) == Side::Inside && interiors.iter().all(|hole| place_in(place, hole) == Side::Outside)
            }
        }
    }
}

#[derive(PartialEq)]
enum Side {
    Inside,
    Edge,
    Outside,
}

/// Says where a place is with regard to a ring, by counting the edges that a line from it crosses.
fn place_in(place: GeoPoint, ring: &[GeoPoint]) -> Side {
    let (x, y) = (place.lat, place.lon);
    let mut is_inside = false;
    let before = ring.iter().skip(ring.len().saturating_sub(1)).chain(ring);
    for (from, to) in before.zip(ring) {
        let turn = y * (to.lat - from.lat) + to.lon * (from.lat - x) + from.lon * (x - to.lat);
        let is_between = (to.lat - x) * (from.lat - x) <= 0.0 && (to.lon - y) * (from.lon - y) <= 0.0;
        if turn == 0.0 && is_between {
            return Side::Edge;
        }
        let crosses = (to.lon > y) != (from.lon > y);
        if crosses && x < (from.lat - to.lat) * (y - to.lon) / (from.lon - to.lon) + to.lat {
            is_inside = !is_inside;
        }
    }
    if is_inside { Side::Inside } else { Side::Outside }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lat: f64, lon: f64) -> GeoPoint {
        GeoPoint { lat, lon }
    }

    #[test]
    fn distances_are_those_of_the_sphere() {
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-3, "{a} {b}");
        near(at(52.52, 13.405).distance(at(51.5074, -0.1278)), 931_570.707_207);
        near(at(0.0, 179.9).distance(at(0.0, -179.9)), 22_239.016_047);
        near(at(90.0, 0.0).distance(at(-90.0, 77.0)), std::f64::consts::PI * EARTH_RADIUS_METERS);
        assert_eq!(at(3.0, 4.0).distance(at(3.0, 4.0)), 0.0);
    }

    #[test]
    fn a_box_may_cross_the_180th_meridian_and_leaves_its_edge_out() {
        let plain = GeoArea::Box { top_left: at(10.0, 0.0), bottom_right: at(0.0, 10.0) };
        assert!(
            plain.contains(at(5.0, 5.0))
                && !plain.contains(at(5.0, 10.0))
                && !plain.contains(at(10.0, 5.0))
                && !plain.contains(at(5.0, -1.0))
        );
        let across = GeoArea::Box { top_left: at(10.0, 170.0), bottom_right: at(0.0, -170.0) };
        assert!(
            across.contains(at(5.0, 175.0))
                && across.contains(at(5.0, -175.0))
                && !across.contains(at(5.0, 0.0))
                && !across.contains(at(5.0, 170.0))
        );
    }

    #[test]
    fn a_polygon_has_holes_and_its_edge_is_outside() {
        let square = |from: f64, to: f64| vec![at(from, from), at(to, from), at(to, to), at(from, to)];
        let area = GeoArea::Polygon { exterior: square(0.0, 10.0), interiors: vec![square(4.0, 6.0)] };
        for (place, expected) in [
            (at(1.0, 1.0), true),
            (at(5.0, 5.0), false),
            (at(4.0, 5.0), false),
            (at(0.0, 5.0), false),
            (at(10.0, 10.0), false),
            (at(11.0, 5.0), false),
            (at(3.9, 5.0), true),
        ] {
            assert_eq!(area.contains(place), expected, "{place:?}");
        }
        // A notch: what is between its arms is outside.
        let notch = GeoArea::Polygon {
            exterior: vec![at(0.0, 0.0), at(10.0, 0.0), at(5.0, 5.0), at(10.0, 10.0), at(0.0, 10.0)],
            interiors: Vec::new(),
        };
        assert!(notch.contains(at(2.0, 5.0)) && !notch.contains(at(8.0, 5.0)) && notch.contains(at(8.0, 1.0)));
    }

    #[test]
    fn only_objects_with_two_finite_numbers_are_places() {
        let read = |text: &str| GeoPoint::of(super::super::value::read(text).unwrap());
        assert_eq!(read(r#"{"lon":13.5,"x":[],"lat":52}"#), Some(at(52.0, 13.5)));
        for text in [r#"{"lat":1}"#, r#"{"lat":1,"lon":"2"}"#, r#"{"lat":1e400,"lon":2}"#, r#"{"lat":true,"lon":2}"#, "[1,2]", "1", "null"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
