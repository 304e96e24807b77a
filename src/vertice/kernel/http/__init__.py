"""What every HTTP service of ours needs.

The middlewares, from the outside in (`app.add_middleware` puts each one outside of those before it):

    proxy.ProxyMiddleware           who asks, and by http or https
    request_id.RequestIdMiddleware  a correlation id for everything below
    access_log.AccessLogMiddleware  one line per request
    headers.HeadersMiddleware       security headers, also on errors
    (starlette's CORSMiddleware)
    rate.RateMiddleware             too many requests end here
    body.BodyMiddleware             what is too large, too slow or no JSON ends here
    handlers.install                every other error becomes a problem document
"""
