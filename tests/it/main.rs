mod model_files;
mod model_serving;
mod model_training;
