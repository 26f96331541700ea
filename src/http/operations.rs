//! Which operation of the OpenAPI document a request is for, before anything is routed: so that a request that runs out of
//! time is counted under its name, too. Made once from the document; a look-up allocates nothing.

use actix_web::http::Method;

/// The name of what is no operation: the documents, unknown addresses.
pub const OTHER: &str = "other";

/// Every operation, and how its requests look.
#[derive(Debug)]
pub struct Operations {
    /// In the order of the document; `OTHER` last.
    names: Vec<String>,
    routes: Vec<Route>,
}

#[derive(Debug)]
struct Route {
    method: Method,
    /// `None` stands for a parameter.
    segments: Vec<Option<String>>,
    index: usize,
}

impl Operations {
    /// Of a document.
    pub fn of(document: &utoipa::openapi::OpenApi) -> Self {
        let document = serde_json::to_value(document).unwrap_or_default();
        let paths = document["paths"].as_object();
        let (mut names, mut routes) = (Vec::new(), Vec::new());
        for (path, methods) in paths.into_iter().flatten() {
            for (method, operation) in methods.as_object().into_iter().flatten() {
                let Some(id) = operation["operationId"].as_str() else {
                    continue;
                };
                let Ok(method) = method.to_uppercase().parse() else {
                    continue;
                };
                let segments = path
                    .split('/')
                    .map(|part| (!part.starts_with('{')).then(|| part.to_owned()));
                routes.push(Route {
                    method,
                    segments: segments.collect(),
                    index: names.len(),
                });
                names.push(id.to_owned());
            }
        }
        // `/readers/me` before `/readers/{id}`.
        routes.sort_by_key(|route| route.segments.iter().filter(|segment| segment.is_none()).count());
        names.push(OTHER.to_owned());
        Self { names, routes }
    }

    /// The names; what `find` answers is a position in it.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The operation, or the last position.
    pub fn find(&self, method: &Method, path: &str) -> usize {
        let depth = path.split('/').count();
        let matches = |route: &&Route| {
            route.segments.len() == depth && route.method == *method && {
                let mut pairs = route.segments.iter().zip(path.split('/'));
                pairs.all(|(known, given)| known.as_deref().is_none_or(|known| known == given))
            }
        };
        let found = self.routes.iter().find(matches);
        found.map_or(self.names.len() - 1, |route| route.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_known_by_method_and_path() {
        let operations = Operations::of(&crate::http::openapi());
        let name = |method: Method, path: &str| operations.names()[operations.find(&method, path)].as_str();
        assert_eq!(name(Method::POST, "/api/v1/check-outs"), "checkOut");
        assert_eq!(name(Method::GET, "/api/v1/readers/17/loans"), "listReaderLoans");
        assert_eq!(name(Method::GET, "/health/ready"), "healthReady");
        for other in ["/", "", "/api/v1/check-outs", "/api/v1/check-outs/", "/docs/"] {
            assert_eq!(name(Method::GET, other), OTHER, "{other}");
        }
    }
}
