%%% SPDX-License-Identifier: MIT
%%%
%%% When somebody was last there: `mod_last' with `db_type: cloud'.
-module(mod_last_cloud).
-behaviour(mod_last).

-export([init/2, import/2, get_last/2, store_last_info/4, remove_user/2]).

init(_Host, _Options) -> cloud:start().
import(_Server, _Activity) -> pass.

%% An outage raises: mod_last takes an error for somebody who was never there, and a command that removes people who were not
%% there for long would remove him.
get_last(User, Server) ->
    case cloud:ask({last_get, cloud:bare(User, Server)}) of
        none -> error;
        {Seconds, Status} -> {ok, {Seconds, Status}}
    end.

store_last_info(User, Server, Seconds, Status) ->
    cloud:done({last_set, cloud:bare(User, Server), Seconds, Status}).

remove_user(User, Server) -> cloud:done({last_del, cloud:bare(User, Server)}).
