import concurrent.futures
import multiprocessing


def double(number):
    return number * 2


def answer(settings, request):
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        return "%s\n" % list(pool.map(double, range(5)))
