#pragma once

// What makes a Beast file slow to compile, compiled once.
#include <boost/asio.hpp>
#include <boost/beast.hpp>
#include <boost/json.hpp>
#include <memory>
#include <string>
