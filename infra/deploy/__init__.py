"""From a package to a site that serves it, and back: deploy, rollback, destroy.

A deploy is a row of steps, each a module: `checks`, `template` and `parameters`, `changes`, `static`, `traffic`,
`migration`, `smoke`; `deploying` has their order.
"""
