"""Forecast: hours, terabytes, memory and GPUs of a brain that is not there yet, from this machine's rates."""

from pipelines.forecast.brain import Brain
from pipelines.forecast.rates import Rates, read_rates
from pipelines.forecast.run import Config, run_forecast
from pipelines.forecast.stages import StageForecast, forecast

__all__ = ["Brain", "Config", "Rates", "StageForecast", "forecast", "read_rates", "run_forecast"]
