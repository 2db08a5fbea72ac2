%%% SPDX-License-Identifier: MIT
%%%
%%% What makes `db_type: cloud' an option of mod_pubsub. The work is in the plugins.
-module(mod_pubsub_cloud).

-export([init/3]).

init(_Host, _ServerHost, _Options) -> cloud:start().
