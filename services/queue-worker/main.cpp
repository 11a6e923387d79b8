#include "app.hpp"
#include "gantry/hosting/run.hpp"

int main(int argc, char** argv) {
    return gantry::hosting::run<gantry::worker::App>(argc, argv);
}
