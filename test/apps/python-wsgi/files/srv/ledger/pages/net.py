def answer(settings, request):
    import asyncio
    import logging.handlers
    import urllib.request

    async def two():
        return await asyncio.gather(*(asyncio.sleep(0, n) for n in (1, 2)))

    return "%s %s %s\n" % (asyncio.run(two()), logging.handlers.SysLogHandler.__name__, urllib.request.getproxies())
