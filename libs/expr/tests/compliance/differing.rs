//! The cases that differ, with the reason.

/// File, expression, reason.
#[rustfmt::skip]
pub(crate) const DIFFERING: &[(&str, &str, &str)] = &[
    (
        "benchmarks",
        "sum(z, y, x, w, v, u, t, s, r, q, p, o, n, m, l, k, j, i, h, g, f, e, d, c, b, a)",
        "only to be parsed; the number of arguments is checked at once here, and `sum` takes one",
    ),
    (
        "benchmarks",
        "a[*].b[*].c[*].d[*].e[*].f[*].g[*].h[*].i[*].j[*].k[*].l[*].m[*].n[*].o[*].p[*].q[*].r[*].s[*].t[*].u[*].v[*].w[*].x[*].y[*].z[*].a[*].b[*].c[*].d[*].e[*].f[*].g[*].h[*].i[*].j[*].k[*].l[*].m[*].n[*].o[*].p[*].q[*].r[*].s[*].t[*].u[*].v[*].w[*].x[*].y[*].z[*].a[*].b[*].c[*].d[*].e[*].f[*].g[*].h[*].i[*].j[*].k[*].l[*].m[*].n[*].o[*].p[*].q[*].r[*].s[*].t[*].u[*].v[*].w[*].x[*].y[*].z[*].a[*].b[*].c[*].d[*].e[*].f[*].g[*].h[*].i[*].j[*].k[*].l[*].m[*].n[*].o[*].p[*].q[*].r[*].s[*].t[*].u[*].v[*].w[*].x[*].y[*].z[*]",
        "104 projections inside each other: deeper than the 64 levels of WF-4.9",
    ),
    (
        "benchmarks",
        "foo[bar > baz][qux > baz]",
        "not in the grammar: a filter begins with `[?`; the package's own parser refuses it too",
    ),
];
